/** `performance.now()` that goes on only when a test says so. */
export interface StoppedClock extends Disposable {
  advance(ms: number): void;
}

/** Stops the clock; disposing lets it go on. @param perLook milliseconds that each look at it takes */
export function stopClock(perLook = 0): StoppedClock {
  const { now } = performance;
  let time = Math.floor(now.call(performance)); // whole, so that sums are exact
  performance.now = () => time += perLook;
  return {
    advance: (ms) => void (time += ms),
    [Symbol.dispose]: () => void (performance.now = now),
  };
}
