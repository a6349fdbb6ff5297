export { SeededRandom } from './seeded-random.ts';
export { SimulatedClock } from './simulated-clock.ts';
export type { DiskFaults, SimulatedDiskOptions } from './simulated-device.ts';
export { SimulatedDisk } from './simulated-disk.ts';
