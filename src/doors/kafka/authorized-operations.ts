/**
 * Bit fields of what the client may do (KIP-430): bit n stands for the operation that Kafka's AclOperation numbers n.
 * Without access control everybody may do everything that the resource knows.
 */
const operations = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const;

function bitsOf(...names: Array<keyof typeof operations>): number {
  return names.reduce((bits, name) => bits | (1 << operations[name]), 0);
}

export const topicOperations = bitsOf(
  'read',
  'write',
  'create',
  'delete',
  'alter',
  'describe',
  'describeConfigs',
  'alterConfigs',
);

export const clusterOperations = bitsOf(
  'create',
  'alter',
  'describe',
  'clusterAction',
  'describeConfigs',
  'alterConfigs',
  'idempotentWrite',
);

export const groupOperations = bitsOf('read', 'delete', 'describe');

/** The client did not ask. */
export const operationsOmitted = -0x80000000;
