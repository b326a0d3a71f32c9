/** The signal by which a user asks how it is. */
import { Poller } from "../../ffi/poller.ts";
import { SignalEvent } from "../../ffi/signal_event.ts";

/** Calls `answer` at each SIGUSR1, idle or not, until disposed of; then the signal is ignored. */
export function onReportRequest(answer: () => void): AsyncDisposable {
  const signal = new SignalEvent("SIGUSR1");
  const poller = new Poller([{ fd: signal.fd, until: "readable" }]);
  let disposed = false;
  const answering = (async () => {
    while (!disposed) {
      await poller.wait();
      if (disposed || !poller.ready(0)) continue;
      signal.clear();
      answer();
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      disposed = true;
      poller.wake();
      await answering;
      await poller[Symbol.asyncDispose]();
      signal[Symbol.dispose]();
    },
  };
}
