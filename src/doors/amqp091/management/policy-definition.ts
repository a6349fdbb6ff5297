import type { Policy } from '../../../broker/index.ts';
import { readAge } from '../queue-arguments.ts';
import { vhostOf } from '../vhost.ts';
import { badRequest, validationFailed } from './api-error.ts';
import { isObject, type JsonObject, need, needText } from './body.ts';
import { parseStored } from './shown-fields.ts';

/** Says what is wrong with a value, as RabbitMQ does; undefined: nothing. */
type Check = (value: unknown) => string | undefined;

const natural =
  (what: string): Check =>
  (value) =>
    isNatural(value) ? undefined : `${print(value)} is not a valid ${what}`;

const text =
  (what: string): Check =>
  (value) =>
    typeof value === 'string' ? undefined : `${print(value)} is not a valid ${what}`;

const word =
  (what: string, words: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && words.includes(value)
      ? undefined
      : `${print(value)} is not a valid ${what}`;

const anything: Check = () => undefined;

const overflow = word('overflow value', ['drop-head', 'reject-publish', 'reject-publish-dlx']);
const limit: Check = (value) =>
  typeof value === 'number' && Number.isSafeInteger(value)
    ? undefined
    : `${print(value)} is not a valid delivery limit`;

/** Keys of an operator's policy: limits. */
const operatorKeys: ReadonlyMap<string, Check> = new Map([
  ['message-ttl', natural('message TTL')],
  [
    'expires',
    (value) =>
      isNatural(value) && value > 0 ? undefined : `${print(value)} is not a valid queue expiry`,
  ],
  ['max-length', natural('maximum length')],
  ['max-length-bytes', natural('maximum length in bytes')],
  ['max-in-memory-length', natural('maximum memory in bytes')],
  ['max-in-memory-bytes', natural('maximum memory in bytes')],
  ['delivery-limit', limit],
  ['overflow', overflow],
  ['target-group-size', natural('target group size')],
]);

/** Of RabbitMQ's mirrors, federations and streams some mean nothing here; files from there have them all the same. */
const keys: ReadonlyMap<string, Check> = new Map<string, Check>([
  ...operatorKeys,
  ['alternate-exchange', text('alternate exchange name')],
  ['dead-letter-exchange', text('dead letter exchange name')],
  ['dead-letter-routing-key', text('dead letter routing key')],
  ['dead-letter-strategy', word('dead letter strategy', ['at-most-once', 'at-least-once'])],
  ['consumer-timeout', natural('consumer timeout')],
  ['delayed-retry-type', word('delayed retry type', ['disabled', 'all', 'failed', 'returned'])],
  ['delayed-retry-min', natural('delayed retry')],
  ['delayed-retry-max', natural('delayed retry')],
  [
    'max-age',
    (value) =>
      typeof value === 'string' && readAge(value) !== undefined
        ? undefined
        : `${print(value)} is not a valid max age`,
  ],
  ['queue-mode', word('queue mode', ['default', 'lazy'])],
  ['queue-version', natural('queue version')],
  ['queue-leader-locator', text('queue leader locator')],
  ['queue-master-locator', text('queue master locator')],
  ['initial-cluster-size', natural('initial cluster size')],
  ['stream-max-segment-size-bytes', natural('segment size')],
  ['stream-filter-size-bytes', natural('filter size')],
  ['federation-upstream', text('upstream name')],
  ['federation-upstream-set', text('upstream set name')],
  ['federation-upstream-pattern', text('upstream pattern')],
  ['ha-mode', word('ha-mode', ['all', 'exactly', 'nodes'])],
  ['ha-params', anything],
  ['ha-sync-mode', word('ha-sync-mode', ['automatic', 'manual'])],
  ['ha-sync-batch-size', natural('ha-sync-batch-size')],
  ['ha-promote-on-shutdown', word('ha-promote-on-shutdown', ['always', 'when-synced'])],
  ['ha-promote-on-failure', word('ha-promote-on-failure', ['always', 'when-synced'])],
]);

const applyToWords: ReadonlySet<string> = new Set([
  'all',
  'exchanges',
  'queues',
  'classic_queues',
  'quorum_queues',
  'streams',
]);

/** A policy as a request or a definitions file describes it. Throws an ApiError. */
export function readPolicy(
  body: JsonObject,
  place: { namespace: string; name: string; isOperator: boolean },
): Policy {
  const pattern = needText(body, 'pattern');
  const definition = need(body, 'definition');
  if (!isObject(definition)) throw badRequest(['not_a_map', 'definition']);
  const { priority: given, 'apply-to': applyTo = 'all' } = body;
  const priority = given === undefined || given === null ? 0 : given;
  if (typeof priority !== 'number' || !Number.isSafeInteger(priority)) {
    throw validationFailed(`priority should be a number, actually was ${print(priority)}`);
  }
  if (typeof applyTo !== 'string' || !applyToWords.has(applyTo)) {
    throw validationFailed(
      `apply-to '${String(applyTo)}' unrecognised; should be 'queues', 'exchanges' or 'all'`,
    );
  }
  checkDefinition(definition, place.isOperator ? operatorKeys : keys);
  return { ...place, pattern, applyTo, priority, definition: JSON.stringify(definition) };
}

function checkDefinition(definition: JsonObject, known: ReadonlyMap<string, Check>): void {
  const entries = Object.entries(definition);
  if (entries.length === 0) throw validationFailed('no policy provided');
  const others = entries.filter(([key]) => !known.has(key));
  if (others.length > 0) {
    const shown = others.map(([key, value]) => `{${print(key)},${print(value)}}`).join(',');
    throw validationFailed(`[${shown}] are not recognised policy settings`);
  }
  for (const [key, value] of entries) {
    const fault = known.get(key)?.(value);
    if (fault !== undefined) throw validationFailed(fault);
  }
}

export function showPolicy(policy: Policy): JsonObject {
  return { vhost: vhostOf(policy.namespace), ...showPolicyBasics(policy) };
}

export function showPolicyBasics({
  name,
  pattern,
  applyTo,
  definition,
  priority,
}: Policy): JsonObject {
  return { name, pattern, 'apply-to': applyTo, definition: parseStored(definition), priority };
}

function isNatural(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** As Erlang prints it. */
export function print(value: unknown): string {
  return typeof value === 'string' ? `<<"${value}">>` : (JSON.stringify(value) ?? 'undefined');
}
