/** A `performance.now()` that advances only when a test says so. */
export interface StoppedClock extends Disposable {
  advance(ms: number): void;
}

/** Stops the clock; disposing starts it. @param perLook milliseconds that each reading takes */
export function stopClock(perLook = 0): StoppedClock {
  const { now } = performance;
  let time = Math.floor(now.call(performance)); // a whole number, so that sums are exact
  performance.now = () => time += perLook;
  return {
    advance: (ms) => void (time += ms),
    [Symbol.dispose]: () => void (performance.now = now),
  };
}
