/** The events of a span. */
import { UnixTime } from "../bytes/unix_time.ts";
import type { Ending } from "../session/ending.ts";
import { FLAG } from "../session/record_layout.ts";
import type { Session } from "../session/session.ts";
import { FixedText, type SpanSink } from "./span_sink.ts";

const ESTABLISHED = new FixedText("tcpspan.established");
const FIN_SENT = new FixedText("tcpspan.fin.sent");
const FIN_RECEIVED = new FixedText("tcpspan.fin.received");
const RESET_RECEIVED = new FixedText("tcpspan.reset.received");

/** A session's events, in the order of their times. */
export class Timeline {
  readonly #names: FixedText[] = [];
  readonly #times: UnixTime[] = [];
  #length = 0;
  readonly #time = new UnixTime();

  fill(session: Session, reason: Ending["reason"] | undefined, end: UnixTime): void {
    this.#length = 0;
    const time = this.#time;
    if (session.readEstablished(time)) this.#add(ESTABLISHED, time);
    if (session.readFinSent(time)) this.#add(FIN_SENT, time);
    if (session.readFinReceived(time)) {
      this.#add(FIN_RECEIVED, time);
    } else if (session.lastState === "fin_wait2" && session.has(FLAG.SOCK_DONE)) {
      // the FIN that ends an active closer's session changes its state straight to CLOSE
      this.#add(FIN_RECEIVED, end);
    }
    if (reason === "reset") this.#add(RESET_RECEIVED, end);
  }

  describe(sink: SpanSink): void {
    for (let i = 0; i < this.#length; i++) {
      const name = this.#names[i];
      const time = this.#times[i];
      if (name !== undefined && time !== undefined) sink.event(name, time);
    }
  }

  /** Inserts it after those that are not later. */
  #add(name: FixedText, time: UnixTime): void {
    let i = this.#length++;
    const own = this.#times[i] ?? new UnixTime();
    own.copy(time);
    for (; i > 0; i--) {
      const before = this.#times[i - 1];
      const beforeName = this.#names[i - 1];
      if (before === undefined || beforeName === undefined || !own.isBefore(before)) break;
      this.#times[i] = before;
      this.#names[i] = beforeName;
    }
    this.#times[i] = own;
    this.#names[i] = name;
  }
}
