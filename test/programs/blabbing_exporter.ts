/** SpanExporters that reveal the options that they were made with. */

/** Fails when it is made. */
export class AtOnce {
  constructor(options: unknown) {
    throw new Error(`cannot use ${JSON.stringify(options)}`);
  }
  export(): void {}
  async shutdown(): Promise<void> {}
}

/** Fails at each export, in the background, and at the end. */
export class Later {
  readonly #said: string;
  constructor(options: unknown) {
    this.#said = `cannot use ${JSON.stringify(options)}`;
  }
  export(_spans: unknown, done: (result: { code: number; error: Error }) => void): void {
    done({ code: 1, error: new Error(this.#said) });
    setTimeout(() => {
      throw new Error(this.#said);
    });
  }
  shutdown(): Promise<void> {
    return Promise.reject(new Error(this.#said));
  }
}
