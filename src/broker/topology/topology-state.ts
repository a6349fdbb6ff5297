import { present, type Random } from '../../base/index.ts';
import { ByteReader, ByteWriter } from '../../bytes/index.ts';
import type { Fields } from '../../routing/index.ts';
import type { Binding, Exchange } from '../ports/index.ts';
import { type BuiltInExchanges, describeBuiltIn } from './built-in-exchanges.ts';
import { BindingState, ExchangeState, QueueTarget, type Target } from './exchange-state.ts';
import { loadFields } from './field-text.ts';
import {
  loadExchange,
  type StoredBinding,
  type StoredExchange,
  storeExchange,
} from './stored-topology.ts';

interface NamespaceState {
  readonly exchanges: Map<string, ExchangeState>;
  /** Queues and topics that something is bound to. */
  readonly queues: Map<string, QueueTarget>;
}

/** Exchanges and bindings in memory. Nothing here is checked, journaled or waited for. */
export class TopologyState {
  readonly #random: Random;
  readonly #builtIn: BuiltInExchanges;
  readonly #namespaces = new Map<string, NamespaceState>();
  #exchangeCount = 0;
  #bindingCount = 0;
  #version = 0;

  constructor(random: Random, builtIn: BuiltInExchanges) {
    this.#random = random;
    this.#builtIn = builtIn;
  }

  /** Grows with every change. */
  get version(): number {
    return this.#version;
  }

  /** Those that are not built in. */
  get exchangeCount(): number {
    return this.#exchangeCount;
  }

  get bindingCount(): number {
    return this.#bindingCount;
  }

  namespaceNames(): string[] {
    return [...this.#namespaces.keys()].toSorted();
  }

  /** Makes the built-in exchanges of a namespace where they are not there yet. */
  openNamespace(name: string): NamespaceState {
    let namespace = this.#namespaces.get(name);
    if (namespace === undefined) {
      namespace = { exchanges: new Map(), queues: new Map() };
      this.#namespaces.set(name, namespace);
      for (const [exchangeName, kind] of this.#builtIn) {
        const exchange = describeBuiltIn(name, exchangeName, kind);
        const state = new ExchangeState(exchange, this.#random, true);
        namespace.exchanges.set(exchangeName, state);
      }
      this.#version++;
    }
    return namespace;
  }

  removeNamespace(name: string): void {
    const namespace = this.#namespaces.get(name);
    if (namespace === undefined) return;
    for (const exchange of namespace.exchanges.values()) {
      exchange.isDeleted = true;
      this.#bindingCount -= exchange.bindings.size;
      if (!exchange.isBuiltIn) this.#exchangeCount--;
    }
    this.#namespaces.delete(name);
    this.#version++;
  }

  find(namespace: string, name: string): ExchangeState | undefined {
    return this.openNamespace(namespace).exchanges.get(name);
  }

  /** In order of name. */
  list(namespace: string): ExchangeState[] {
    const { exchanges } = this.openNamespace(namespace);
    return [...exchanges.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  findQueue(namespace: string, name: string): QueueTarget | undefined {
    return this.#namespaces.get(namespace)?.queues.get(name);
  }

  queues(namespace: string): QueueTarget[] {
    return [...(this.#namespaces.get(namespace)?.queues.values() ?? [])];
  }

  addExchange(exchange: Exchange): void {
    const { exchanges } = this.openNamespace(exchange.namespace);
    if (exchanges.has(exchange.name)) return;
    exchanges.set(exchange.name, new ExchangeState(exchange, this.#random, false));
    this.#exchangeCount++;
    this.#version++;
  }

  configure(exchange: ExchangeState, attributes: Readonly<Record<string, string>>): void {
    exchange.attributes = attributes;
    this.#version++;
  }

  /** Its bindings go with it. */
  removeExchange(exchange: ExchangeState): void {
    if (exchange.isDeleted || exchange.isBuiltIn) return;
    for (const binding of exchange.bindings.values()) this.removeBinding(binding);
    for (const binding of exchange.incoming) this.removeBinding(binding);
    exchange.isDeleted = true;
    this.#namespaces.get(exchange.namespace)?.exchanges.delete(exchange.name);
    this.#exchangeCount--;
    this.#version++;
  }

  /** Undefined where there is none; `text` is the JSON of its StoredBinding. */
  findBinding(source: ExchangeState, text: string): BindingState | undefined {
    return source.bindings.get(text);
  }

  /** Nothing happens when an end is missing, or when it is there already. */
  addBinding(namespace: string, source: string, stored: StoredBinding, isDurable: boolean): void {
    const exchange = this.find(namespace, source);
    if (exchange === undefined) return;
    const [kind, name, key, routeArguments] = stored;
    const text = JSON.stringify(stored);
    if (exchange.bindings.has(text)) return;
    const target = kind === 'q' ? this.#openQueue(namespace, name) : this.find(namespace, name);
    if (target === undefined) return;
    const binding = new BindingState({
      exchange,
      target,
      key,
      arguments: routeArguments === undefined ? noArguments : loadFields(routeArguments),
      text,
      isDurable,
    });
    exchange.bindings.set(text, binding);
    exchange.table.add(binding);
    target.incoming.add(binding);
    if (isDurable) exchange.blocks.add(binding);
    this.#bindingCount++;
    this.#version++;
  }

  removeBinding(binding: BindingState): void {
    const { exchange, target } = binding;
    if (exchange.bindings.get(binding.text) !== binding) return;
    exchange.bindings.delete(binding.text);
    exchange.table.remove(binding);
    target.incoming.delete(binding);
    if (binding.isDurable) exchange.blocks.remove(binding);
    if (target instanceof QueueTarget && target.incoming.size === 0) {
      this.#namespaces.get(target.namespace)?.queues.delete(target.name);
    }
    this.#bindingCount--;
    this.#version++;
  }

  removeQueue(queue: QueueTarget): void {
    for (const binding of queue.incoming) this.removeBinding(binding);
  }

  /** Temporary exchanges, and bindings that are not durable, which no snapshot has. */
  temporary(): { exchanges: Exchange[]; bindings: Binding[] } {
    const exchanges: Exchange[] = [];
    const bindings: Binding[] = [];
    for (const { exchanges: all } of this.#namespaces.values()) {
      for (const exchange of all.values()) {
        if (exchange.lifetime === 'temporary') exchanges.push(exchange);
        // Most exchanges have none, which need not be looked for one by one.
        if (exchange.blocks.count === exchange.bindings.size) continue;
        for (const binding of exchange.bindings.values()) {
          if (!binding.isDurable) bindings.push(binding.describe());
        }
      }
    }
    return { exchanges, bindings };
  }

  /**
   * Layout: u8 1, u32 count of namespaces, for each u32 count of durable exchanges and those with durable bindings: u32
   * bytes of JSON (StoredExchange; built-in ones too, for their bindings), u32 count of blocks, for each u32 bytes of
   * JSON, a list of StoredBindings. A change takes another first byte.
   */
  encode(): Uint8Array {
    const writer = new ByteWriter(4096);
    writer.uint8(1);
    writer.uint32(this.#namespaces.size);
    for (const { exchanges } of this.#namespaces.values()) {
      const durable = [...exchanges.values()].filter(
        ({ lifetime, isBuiltIn, blocks }) =>
          lifetime === 'durable' && (!isBuiltIn || blocks.count > 0),
      );
      writer.uint32(durable.length);
      for (const exchange of durable) {
        writePart(writer, Buffer.from(JSON.stringify(storeExchange(exchange)), 'utf8'));
        const blocks = exchange.blocks.encode();
        writer.uint32(blocks.length);
        for (const block of blocks) writePart(writer, block);
      }
    }
    return writer.take();
  }

  /** Takes the place of everything that is there. */
  restore(state: Uint8Array | undefined): void {
    for (const name of this.namespaceNames()) this.removeNamespace(name);
    this.openNamespace('');
    if (state === undefined) return;
    const reader = new ByteReader(state);
    const format = reader.uint8();
    if (format !== 1) throw new Error(`exchanges are stored in the unknown format ${format}`);
    // Bindings may lead to exchanges that stand behind theirs.
    const bindings: Array<{ exchange: StoredExchange; list: StoredBinding[] }> = [];
    for (let namespaces = reader.uint32(); namespaces > 0; namespaces--) {
      for (let count = reader.uint32(); count > 0; count--) {
        const exchange = readPart(reader) as StoredExchange;
        this.addExchange(loadExchange(exchange));
        for (let blocks = reader.uint32(); blocks > 0; blocks--) {
          bindings.push({ exchange, list: readPart(reader) as StoredBinding[] });
        }
      }
    }
    for (const { exchange, list } of bindings) {
      for (const stored of list) this.addBinding(exchange.namespace, exchange.name, stored, true);
    }
  }

  #openQueue(namespace: string, name: string): Target {
    const { queues } = present(this.#namespaces.get(namespace), 'the source is in it');
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = new QueueTarget(namespace, name);
      queues.set(name, queue);
    }
    return queue;
  }
}

const noArguments: Fields = Object.freeze({});

function writePart(writer: ByteWriter, bytes: Uint8Array): void {
  writer.uint32(bytes.length);
  writer.bytes(bytes);
}

function readPart(reader: ByteReader): unknown {
  return JSON.parse(reader.utf8(reader.uint32()));
}
