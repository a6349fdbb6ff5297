/** Why the process must end, in one line for the person who started it. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
  /** 1: something to correct in how it was started; 2: damaged data. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
