import { type Exchange, type RoutingFacts, type Topic } from '../../../src/broker/index.ts';
import {
  type Destinations,
  Topology,
  type TopologyParts,
} from '../../../src/broker/topology/index.ts';
import type { Fields } from '../../../src/routing/index.ts';
import { SeededRandom } from '../../../src/testing/index.ts';

/** Queues by name, without anything in them. */
export class NamedDestinations implements Destinations {
  version = 0;
  readonly #known = new Map<string, { topic: Topic; lifetime: 'durable' | 'temporary' }>();

  add(name: string, lifetime: 'durable' | 'temporary' = 'durable', namespace = ''): void {
    // Routing hands topics on and looks at nothing in them.
    const topic = { name, namespace } as unknown as Topic;
    this.#known.set(`${namespace}/${name}`, { topic, lifetime });
    this.version++;
  }

  remove(name: string, namespace = ''): void {
    this.#known.delete(`${namespace}/${name}`);
    this.version++;
  }

  findTopic(namespace: string, name: string): Topic | undefined {
    return this.#known.get(`${namespace}/${name}`)?.topic;
  }

  findLifetime(namespace: string, name: string): 'durable' | 'temporary' | undefined {
    return this.#known.get(`${namespace}/${name}`)?.lifetime;
  }
}

/** Applies entries at once, as a shard does, and keeps them for the next topology. */
export class MemoryJournal {
  readonly entries: Array<{ kind: number; payload: Uint8Array }> = [];
  failure: Error | undefined;
  topology: Topology | undefined;

  submit(kind: number, payload: Uint8Array): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.topology?.apply(kind, payload);
    this.entries.push({ kind, payload });
    return Promise.resolve();
  }

  barrier(): Promise<void> {
    return this.failure === undefined ? Promise.resolve() : Promise.reject(this.failure);
  }
}

export interface Fixture {
  topology: Topology;
  destinations: NamedDestinations;
  journal: MemoryJournal;
}

export function createFixture(
  queues: readonly string[] = [],
  parts: Partial<TopologyParts> = {},
): Fixture {
  const destinations = new NamedDestinations();
  for (const name of queues) destinations.add(name);
  const journal = new MemoryJournal();
  const topology = open(destinations, journal, parts);
  topology.restore(undefined);
  return { topology, destinations, journal };
}

/** What a new process makes of the journal, with or without a snapshot at its end. */
export async function reopen(fixture: Fixture, withSnapshot: boolean): Promise<Fixture> {
  const journal = new MemoryJournal();
  const topology = open(fixture.destinations, journal);
  if (withSnapshot) {
    topology.restore(fixture.topology.encode());
  } else {
    topology.restore(undefined);
    for (const { kind, payload } of fixture.journal.entries) topology.apply(kind, payload);
    journal.entries.push(...fixture.journal.entries);
  }
  await topology.link();
  return { topology, destinations: fixture.destinations, journal };
}

function open(
  destinations: NamedDestinations,
  journal: MemoryJournal,
  parts: Partial<TopologyParts> = {},
): Topology {
  const topology = new Topology({ random: new SeededRandom(1), destinations, ...parts });
  journal.topology = topology;
  topology.attach(journal);
  return topology;
}

export function exchange(name: string, more: Partial<Exchange> = {}): Exchange {
  return {
    namespace: '',
    name,
    kind: 'direct',
    isDelayed: false,
    lifetime: 'durable',
    isAutoDelete: false,
    isInternal: false,
    alternate: undefined,
    arguments: {},
    attributes: {},
    ...more,
  };
}

export function facts(keys: string | readonly string[], headers: Fields = {}): RoutingFacts {
  return {
    keys: typeof keys === 'string' ? [keys] : keys,
    headers: () => headers,
    property: () => undefined,
  };
}

/** Names of where a message goes, in order of name. */
export function routeTo(
  topology: Topology,
  name: string,
  routingFacts: RoutingFacts | string,
  namespace = '',
): string[] {
  const found = topology.find(namespace, name);
  if (found === undefined) throw new Error(`there is no exchange ${name}`);
  const given = typeof routingFacts === 'string' ? facts(routingFacts) : routingFacts;
  return topology
    .route(found, given)
    .map((topic) => topic.name)
    .toSorted();
}

export async function bind(
  topology: Topology,
  source: string,
  key: string,
  to: string,
  more: { kind?: 'queue' | 'exchange'; arguments?: Fields; namespace?: string } = {},
): Promise<boolean> {
  return topology.bind({
    namespace: more.namespace ?? '',
    source,
    destination: { kind: more.kind ?? 'queue', name: to },
    key,
    arguments: more.arguments ?? {},
  });
}

export async function unbind(
  topology: Topology,
  source: string,
  key: string,
  to: string,
  more: { kind?: 'queue' | 'exchange'; arguments?: Fields } = {},
): Promise<boolean> {
  return topology.unbind({
    namespace: '',
    source,
    destination: { kind: more.kind ?? 'queue', name: to },
    key,
    arguments: more.arguments ?? {},
  });
}
