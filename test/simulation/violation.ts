/** The broker broke a promise. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export function expectThat(isSo: boolean, what: string): void {
  if (!isSo) throw new Violation(what);
}
