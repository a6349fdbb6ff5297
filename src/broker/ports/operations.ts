/** What rules are about. A cluster has one resource, of the name `clusterName`. */
export const resourceKinds = ['topic', 'group', 'cluster', 'transaction', 'user'] as const;

export type ResourceKind = (typeof resourceKinds)[number];

/** The name of the broker's own resource, of the kind `cluster`. */
export const clusterName = 'cluster';

/** What may be done with a resource; each is a bit of an operation set. Sets are not stored. */
export const operationBits = {
  read: 1 << 3,
  write: 1 << 4,
  create: 1 << 5,
  delete: 1 << 6,
  alter: 1 << 7,
  describe: 1 << 8,
  'cluster-action': 1 << 9,
  'describe-configs': 1 << 10,
  'alter-configs': 1 << 11,
  'idempotent-write': 1 << 12,
  'create-tokens': 1 << 13,
  'describe-tokens': 1 << 14,
  'two-phase-commit': 1 << 15,
} as const;

export type Operation = keyof typeof operationBits;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `Object.keys` forgets which they are
export const operations = Object.keys(operationBits) as Operation[];

export const allOperations = operations.reduce((set, name) => set | operationBits[name], 0);

/** Who came in without credentials is called this in rules. */
export const anonymousInRules = 'ANONYMOUS';
