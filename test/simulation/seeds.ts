/** Seeds that have found something: they run always, whatever else does. */
export const keptSeeds: readonly number[] = [
  2, 3, 4, 5, 7, 10, 12, 14, 16, 18, 21, 23, 27, 34, 41, 45, 48, 50, 53, 56, 57, 59, 63, 69, 83, 89,
  168, 237, 283, 288, 302, 337, 366, 381, 2485, 3555, 4294, 4266,
  // Queues.
  4, 73, 172, 378, 410, 426, 894, 1655, 5095,
];
