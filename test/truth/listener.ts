/** A listening socket of an actor. */
import type { Actor, SocketFamily } from "../kernel/actor.ts";
import type { Endpoint } from "./case.ts";
import { End } from "./end.ts";
import { across, around } from "./window.ts";

/** Accepts the sessions of a case. */
export class Listener implements Endpoint {
  #accepted = 0;

  constructor(
    readonly actor: Actor,
    readonly family: SocketFamily,
    readonly address: string,
    readonly port: number,
    /** The actor's name for it. */
    readonly socket: string,
  ) {}

  /** Waits for a session. @returns the server's end of it */
  async accept(): Promise<End> {
    const { actor, family, socket } = this;
    const name = `${socket}.${++this.#accepted}`;
    const truth = await actor.accept(socket, name);
    const what = this.#accepted === 1 ? "server" : `server ${this.#accepted}`;
    const end = new End({ what, role: "server", family, actor, socket: name });
    end.connected(truth, across(around(truth)));
    return end;
  }

  /** The same listener in another process that has a copy of it. */
  in(actor: Actor): Listener {
    return new Listener(actor, this.family, this.address, this.port, this.socket);
  }

  /** Closes it, and with it all sessions that it did not accept. */
  async close() {
    return around(await this.actor.close(this.socket));
  }
}
