import { patienceMs } from './patience.ts';

/** So often it is looked again without a pause; what another turn of the event loop brings is there by then. */
const turns = 100;
const pauseMs = 5;

/** Resolves when it is so; rejects when it is awaited in vain, with `what` or the source of the condition. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: string | (() => string) = () => isSo.toString(),
): Promise<void> {
  const endMs = performance.now() + patienceMs;
  for (let looks = 0; !(await isSo()); looks++) {
    if (performance.now() > endMs) {
      throw new Error(`awaited in vain: ${typeof what === 'string' ? what : what()}`);
    }
    await new Promise<void>((resolve) => {
      if (looks < turns) setImmediate(resolve);
      else setTimeout(resolve, pauseMs);
    });
  }
}
