import { clusterName, type Operation, operationBits, operations } from '../../../broker/index.ts';
import { operationsOmitted } from '../authorized-operations.ts';
import type { HandlerContext, HandlerResult } from '../handler.ts';
import { type ApiName, type RequestOf, type ResponseInput, zeroUuid } from '../wire/index.ts';
import type { Authorizer } from './authorizer.ts';

/** Goes on with a request, or what is left of it. */
export type Proceed<N extends ApiName> = (
  request: RequestOf<N>,
) => HandlerResult<N> | Promise<HandlerResult<N>>;

/**
 * Stands in front of a handler, which knows nothing of access: hands it the part of a request that the client may make, and
 * answers the rest itself. It is asked only for clients who may not do everything.
 */
export type Guard<N extends ApiName> = (
  gate: Gate,
  request: RequestOf<N>,
  proceed: Proceed<N>,
  version: number,
) => HandlerResult<N> | Promise<HandlerResult<N>>;

/** What guards may use. */
export class Gate {
  readonly access: Authorizer;
  readonly context: HandlerContext;

  constructor(context: HandlerContext) {
    this.context = context;
    this.access = context.connection.access;
  }

  may(operation: Operation, kind: 'topic' | 'group' | 'transaction', name: string): boolean {
    return this.access.may(operation, kind, name);
  }

  mayWithCluster(operation: Operation): boolean {
    return this.access.mayWithCluster(operation);
  }

  /** A topic that is meant by its name or its id; undefined: there is none of this id, which is no secret. */
  nameOf(name: string | null, topicId: string): string | undefined {
    if (topicId === zeroUuid) return name ?? undefined;
    return this.context.broker.topics.findById(topicId)?.name;
  }

  /** With a topic by name or id; ids that nobody knows pass, for the handler says so. */
  mayWithTopic(operation: Operation, name: string | null, topicId: string): boolean {
    const known = this.nameOf(name, topicId);
    return known === undefined || this.may(operation, 'topic', known);
  }

  /** Of what a handler says that can be done with something, what this client may do. */
  permitted(told: number | undefined, kind: 'topic' | 'group', name: string): number {
    if (told === undefined || told === operationsOmitted) return operationsOmitted;
    return told & wireBits(this.access.operationsOn(kind, name));
  }

  permittedWithCluster(told: number | undefined): number {
    if (told === undefined || told === operationsOmitted) return operationsOmitted;
    return told & wireBits(this.access.operationsOn('cluster', clusterName));
  }
}

/** Everybody may. */
export function free<N extends ApiName>(): Guard<N> {
  return (_gate, request, proceed) => proceed(request);
}

/** One check for the whole request. */
export function whole<N extends ApiName>(
  isAllowed: (gate: Gate, request: RequestOf<N>) => boolean,
  refuse: (request: RequestOf<N>, version: number) => HandlerResult<N>,
): Guard<N> {
  return (gate, request, proceed, version) =>
    isAllowed(gate, request) ? proceed(request) : refuse(request, version);
}

type ItemOf<List> = List extends ReadonlyArray<infer Item> | null | undefined ? Item : never;

/**
 * A check for each item of a list in the request: those that are refused get their answer behind those of the handler, which
 * is asked for the others even if there are none.
 */
export function each<
  N extends ApiName,
  Of extends keyof RequestOf<N>,
  Into extends keyof ResponseInput<N>,
>(parts: {
  /** The request's list. */
  of: Of;
  /** The response's. */
  into: Into;
  isAllowed: (gate: Gate, item: ItemOf<RequestOf<N>[Of]>) => boolean;
  refuse: (item: ItemOf<RequestOf<N>[Of]>) => ItemOf<ResponseInput<N>[Into]>;
}): Guard<N> {
  const { of, into, isAllowed, refuse } = parts;
  return (gate, request, proceed) => {
    // What `of` and `into` name are lists of these: the types of the two functions say so.
    const items = (request[of] ?? []) as ReadonlyArray<ItemOf<RequestOf<N>[Of]>>;
    const [allowed, refused] = split(items, (item) => isAllowed(gate, item));
    if (refused.length === 0) return proceed(request);
    return after(proceed({ ...request, [of]: allowed }), (response) => {
      const answers = response[into] as ReadonlyArray<ItemOf<ResponseInput<N>[Into]>>;
      return { ...response, [into]: [...answers, ...refused.map(refuse)] };
    });
  };
}

/** First this guard, then, for what it lets pass, the other one. */
export function both<N extends ApiName>(first: Guard<N>, second: Guard<N>): Guard<N> {
  return (gate, request, proceed, version) =>
    first(gate, request, (passed) => second(gate, passed, proceed, version), version);
}

/** Changes an answer, if there is one, without making a promise of it. */
export function after<N extends ApiName>(
  result: HandlerResult<N> | Promise<HandlerResult<N>>,
  change: (response: ResponseInput<N>) => ResponseInput<N>,
): HandlerResult<N> | Promise<HandlerResult<N>> {
  if (result instanceof Promise) {
    return result.then((response) => (response === undefined ? undefined : change(response)));
  }
  return result === undefined ? undefined : change(result);
}

export function split<T>(items: readonly T[], isAllowed: (item: T) => boolean): [T[], T[]] {
  const allowed: T[] = [];
  const refused: T[] = [];
  for (const item of items) (isAllowed(item) ? allowed : refused).push(item);
  return [allowed, refused];
}

/** Kafka's AclOperation. */
export const operationCodes = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  'cluster-action': 9,
  'describe-configs': 10,
  'alter-configs': 11,
  'idempotent-write': 12,
  'create-tokens': 13,
  'describe-tokens': 14,
  'two-phase-commit': 15,
} as const satisfies Record<Operation, number>;

/** Bit n of Kafka's sets stands for the operation that it numbers n (KIP-430). */
function wireBits(set: number): number {
  let bits = 0;
  for (const operation of operations) {
    if ((set & operationBits[operation]) !== 0) bits |= 1 << operationCodes[operation];
  }
  return bits;
}
