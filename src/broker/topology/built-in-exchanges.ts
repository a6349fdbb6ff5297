import type { Exchange, ExchangeKind } from '../ports/index.ts';

/** Name and kind of the exchanges that are there in every namespace from the beginning. */
export type BuiltInExchanges = ReadonlyArray<readonly [name: string, kind: ExchangeKind]>;

/** Names that clients of exchanges have known for as long as there are exchanges. '' is the default exchange. */
export const builtInExchanges: BuiltInExchanges = [
  ['', 'direct'],
  ['amq.direct', 'direct'],
  ['amq.fanout', 'fanout'],
  ['amq.headers', 'headers'],
  ['amq.match', 'headers'],
  ['amq.topic', 'topic'],
];

export function describeBuiltIn(namespace: string, name: string, kind: ExchangeKind): Exchange {
  return {
    namespace,
    name,
    kind,
    isDelayed: false,
    lifetime: 'durable',
    isAutoDelete: false,
    isInternal: false,
    alternate: undefined,
    arguments: {},
    attributes: {},
  };
}
