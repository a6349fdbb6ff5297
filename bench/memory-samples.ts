import type { Server } from './server-process.ts';

const sampleMs = 500;

/** Resident memory over the time that `work` takes: at a quarter, half, three quarters, the end, and at most. */
export async function sampleMemory(
  server: Server,
  work: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(server.usage().residentMib), sampleMs);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  samples.push(server.usage().residentMib);
  const at = (fraction: number) => samples[Math.floor((samples.length - 1) * fraction)]!;
  return {
    'RSS MiB at 25 %': at(0.25),
    '50 %': at(0.5),
    '75 %': at(0.75),
    '100 %': at(1),
    most: Math.max(...samples),
  };
}
