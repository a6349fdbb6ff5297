/** A process that runs seeds, far from the test runner's hooks, which make every promise slow. */
import { simulate } from './simulation.ts';

export interface SeedRequest {
  seeds: number[];
}

export interface SeedOutcome {
  seed: number;
  error?: string;
  acked: number;
  read: number;
  duplicates: number;
  damaged: number;
  delivered: number;
  redelivered: number;
  buried: number;
  digest: string;
}

let unhandled: unknown;
process.on('unhandledRejection', (error) => {
  unhandled ??= error;
});

async function runSeed(seed: number): Promise<SeedOutcome> {
  unhandled = undefined;
  const none = {
    seed,
    acked: 0,
    read: 0,
    duplicates: 0,
    damaged: 0,
    delivered: 0,
    redelivered: 0,
    buried: 0,
    digest: '',
  };
  try {
    const { counts, digest } = await simulate(seed);
    if (unhandled !== undefined) throw unhandled;
    return { seed, ...counts, digest };
  } catch (error) {
    return {
      ...none,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

process.on('message', ({ seeds }: SeedRequest) => {
  void (async () => {
    for (const seed of seeds) process.send?.(await runSeed(seed));
    process.disconnect();
  })();
});
