import type { AccessPort, Policy, Queue, QueuesPort } from '../../broker/index.ts';
import type { Clock } from '../../base/index.ts';
import type { Log } from '../../net/index.ts';
import type { QueueSettings } from '../../shard/index.ts';
import {
  type QueueOptions,
  type QueueType,
  readAge,
  readOptions,
  settingsOf,
} from './queue-arguments.ts';
import {
  operatorPolicyAttribute,
  policyAttribute,
  restoreArguments,
  typeAttribute,
} from './stored-arguments.ts';

/** What is in force for a queue. */
export interface EffectiveQueue {
  readonly settings: Partial<QueueSettings>;
  readonly idleExpiryMs: number;
  readonly attributes: Record<string, string>;
}

/** Keys of a policy's definition that say something about a queue. */
const policyKeys: ReadonlyMap<string, keyof QueueOptions> = new Map([
  ['message-ttl', 'messageTtl'],
  ['expires', 'expires'],
  ['max-length', 'maxLength'],
  ['max-length-bytes', 'maxLengthBytes'],
  ['overflow', 'overflow'],
  ['dead-letter-exchange', 'deadLetterExchange'],
  ['dead-letter-routing-key', 'deadLetterRoutingKey'],
  ['delivery-limit', 'deliveryLimit'],
  ['consumer-timeout', 'consumerTimeout'],
  ['delayed-retry-type', 'delayedRetryType'],
  ['delayed-retry-min', 'delayedRetryMin'],
  ['delayed-retry-max', 'delayedRetryMax'],
  ['max-age', 'maxAgeMs'],
  ['keep-settled', 'keepSettledMs'],
]);

/** Of several values the smallest counts, whoever gave it; of the other options the one that stands first. */
const limitOptions: ReadonlySet<keyof QueueOptions> = new Set<keyof QueueOptions>([
  'messageTtl',
  'expires',
  'maxLength',
  'maxLengthBytes',
  'deliveryLimit',
  'maxAgeMs',
]);

const kindsOfType: Readonly<Record<QueueType, readonly string[]>> = {
  classic: ['queues', 'classic_queues'],
  quorum: ['queues', 'quorum_queues'],
  stream: ['queues', 'streams'],
};

export interface QueuePoliciesParts {
  readonly access: AccessPort;
  readonly queues: QueuesPort;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Puts a queue's arguments, the policy and the operator's policy that match its name together
 * (https://www.rabbitmq.com/docs/parameters#policies), at its declaration and whenever policies change.
 */
export class QueuePolicies {
  readonly #parts: QueuePoliciesParts;
  #version = -1;
  #unwatch: (() => void) | undefined;
  /** Changes are being applied, or soon will be. */
  #isApplying = false;

  constructor(parts: QueuePoliciesParts) {
    this.#parts = parts;
  }

  /** Looks after changes of policies until `close`. */
  start(): void {
    const { access } = this.#parts;
    this.#version = access.policyVersion;
    this.#unwatch = access.watchPolicies(() => this.#changed());
  }

  close(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  effective(
    namespace: string,
    name: string,
    type: QueueType,
    own: QueueOptions,
    isSingleActive: boolean,
  ): EffectiveQueue {
    const { access } = this.#parts;
    const kinds = kindsOfType[type];
    const policy = access.findPolicy(namespace, name, kinds, false);
    const operator = access.findPolicy(namespace, name, kinds, true);
    const options = mergeOptions(
      own,
      mergeOptions(optionsOfPolicy(operator), optionsOfPolicy(policy)),
    );
    return {
      // An option that went away goes back to its default.
      settings: { deadLetter: undefined, ...settingsOf(type, options), isSingleActive },
      idleExpiryMs: options.expires ?? -1,
      attributes: {
        [policyAttribute]: policy?.name ?? '',
        [operatorPolicyAttribute]: operator?.name ?? '',
      },
    };
  }

  /** Applies what has changed to all queues of this door; resolves when it is done. */
  async apply(): Promise<void> {
    const { access, queues, log } = this.#parts;
    this.#version = access.policyVersion;
    for (const queue of queues.list()) {
      const table = restoreArguments(queue.attributes);
      if (table === undefined || queue.isDropped) continue;
      const type = typeOfQueue(queue);
      const isSingleActive = queue.settings.isSingleActive;
      const effective = this.effective(
        queue.namespace,
        queue.name,
        type,
        readOptions(table),
        isSingleActive,
      );
      if (!isDifferent(queue, effective)) continue;
      try {
        await queues.configure(queue, effective);
      } catch (error) {
        log.warn({ err: error, queue: queue.name }, 'a policy could not be applied to a queue');
      }
    }
  }

  #changed(): void {
    if (this.#isApplying) return;
    this.#isApplying = true;
    // Many may change at once: a file of definitions, a recovery.
    this.#parts.clock.setAfterIo(() => void this.#applyAll());
  }

  async #applyAll(): Promise<void> {
    const { access, log } = this.#parts;
    try {
      while (this.#unwatch !== undefined && this.#version !== access.policyVersion)
        await this.apply();
    } catch (error) {
      log.error({ err: error }, 'policies could not be applied');
    } finally {
      this.#isApplying = false;
    }
  }
}

export function typeOfQueue(queue: Queue): QueueType {
  const type = queue.attributes[typeAttribute];
  return type === 'quorum' || type === 'stream' ? type : 'classic';
}

/** The options of `first`, with those of `second` where there are none; of two limits the smaller. */
export function mergeOptions(first: QueueOptions, second: QueueOptions): QueueOptions {
  const merged: Record<string, unknown> = { ...second };
  for (const [name, value] of Object.entries(first)) {
    const other = merged[name];
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- names of options are the keys of both
    const isLimit = limitOptions.has(name as keyof QueueOptions);
    merged[name] =
      isLimit && typeof value === 'number' && typeof other === 'number'
        ? smallerLimit(value, other)
        : value;
  }
  return merged;
}

/** −1 is no limit. */
function smallerLimit(a: number, b: number): number {
  if (a < 0) return b;
  return b < 0 ? a : Math.min(a, b);
}

function optionsOfPolicy(policy: Policy | undefined): QueueOptions {
  if (policy === undefined) return {};
  let definition: unknown;
  try {
    definition = JSON.parse(policy.definition);
  } catch {
    // A policy of another door, or none at all: it says nothing that is understood here.
    return {};
  }
  if (definition === null || typeof definition !== 'object') return {};
  const options: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(definition)) {
    const option = policyKeys.get(key);
    if (option === undefined) continue;
    if (option === 'maxAgeMs') {
      const ms = typeof value === 'string' ? readAge(value) : undefined;
      if (ms !== undefined) options[option] = ms;
    } else if (typeof value === 'number' || typeof value === 'string') options[option] = value;
  }
  return options;
}

function isDifferent(queue: Queue, effective: EffectiveQueue): boolean {
  if (queue.idleExpiryMs !== effective.idleExpiryMs) return true;
  for (const [name, value] of Object.entries(effective.attributes)) {
    if ((queue.attributes[name] ?? '') !== value) return true;
  }
  const current: Record<string, unknown> = { ...queue.settings };
  for (const [name, value] of Object.entries(effective.settings)) {
    if (JSON.stringify(current[name]) !== JSON.stringify(value)) return true;
  }
  return false;
}
