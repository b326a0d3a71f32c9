/** Sessions that the test makes itself, as short as possible, and counts. */

/** Makes sessions with its own listener. */
export interface Traffic extends AsyncDisposable {
  /** The listener's; `remote_ports` with it selects one end of each session, the client's. */
  readonly port: number;
  /** Sessions that have ended so far. */
  readonly made: number;
  /** Makes `count` sessions, one after the other. */
  make(count: number): Promise<void>;
  /** Opens one; `close` ends it. */
  open(): Promise<{ close(): Promise<void> }>;
  /** Makes one after the other while `work` lasts. */
  during<T>(work: Promise<T>): Promise<T>;
}

/** Starts to listen. */
export function startTraffic(): Traffic {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  let made = 0;
  const accepting = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(1)).catch(() => {}); // the client closes first
      connection.close();
    }
  })();
  const open = async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const close = async () => {
      await connection.closeWrite();
      await connection.read(new Uint8Array(1)).catch(() => {});
      connection.close();
      made++;
    };
    return { close };
  };
  const make = async (count: number) => {
    for (let i = 0; i < count; i++) await (await open()).close();
  };
  return {
    port,
    get made() {
      return made;
    },
    make,
    open,
    during: async (work) => {
      let over = false;
      const done = work.finally(() => over = true);
      done.catch(() => {}); // thrown below, once no session is under way
      while (!over) await make(1);
      return await done;
    },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting;
    },
  };
}
