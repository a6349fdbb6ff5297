import { StartFailure } from '../server/index.ts';

/** What to tell a person about whatever a command threw: one line, and what to do where we know it. */
export function lineOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.split('\n')[0] ?? error.name;
}

/** 1: something to correct; 2: damaged data. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof StartFailure) return error.exitCode;
  return 1;
}
