/**
 * How long a test waits for what must come. It is no expectation of speed: a machine that is ten times slower, or stands
 * still for some seconds, must pass; one that waits in vain fails all the same.
 */
export const patienceMs = 120_000;

/** Timeouts of kafkajs. Its own, a second for a connection, are little on a busy machine. */
export const patientKafka = {
  connectionTimeout: patienceMs,
  authenticationTimeout: patienceMs,
  requestTimeout: patienceMs,
} as const;
