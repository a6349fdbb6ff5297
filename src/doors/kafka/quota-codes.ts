import type { QuotaName, QuotaSubject } from '../../broker/index.ts';
import { errorCodes } from './error-codes.ts';
import { Refusal } from './refusal.ts';

/*
 * Kafka's client quotas are the broker's (KIP-13, KIP-124, KIP-546, KIP-599, KIP-612). Its percentage of request time is
 * that of one thread: 100 are 1,000 ms of work in a second.
 */

export interface EntityPart {
  readonly entityType: string;
  readonly entityName: string | null;
}

interface QuotaKey {
  readonly key: string;
  readonly name: QuotaName;
  /** A value of the protocol is this many of the broker's. */
  readonly factor: number;
  readonly isWhole: boolean;
  readonly isOfAddress: boolean;
}

/** In the order in which they are told, which is the one that Kafka's hash maps give: programs have come to expect it. */
const quotaKeys: readonly QuotaKey[] = [
  quotaKey('consumer_byte_rate', 'readBytes'),
  { ...quotaKey('controller_mutation_rate', 'partitionChanges'), isWhole: false },
  { ...quotaKey('request_percentage', 'requestMs'), factor: 10, isWhole: false },
  quotaKey('producer_byte_rate', 'publishedBytes'),
  { ...quotaKey('connection_creation_rate', 'connections'), isOfAddress: true },
];

function quotaKey(key: string, name: QuotaName): QuotaKey {
  return { key, name, factor: 1, isWhole: true, isOfAddress: false };
}

/** In the order in which they are told, which is Kafka's as well. */
export const entityTypes = ['ip', 'client-id', 'user'] as const;
export type EntityType = (typeof entityTypes)[number];

export function isEntityType(text: string): text is EntityType {
  return entityTypes.some((type) => type === text);
}

const partOf = { user: 'user', 'client-id': 'client', ip: 'address' } as const;

/** What an entity says of one type: a name, null for the default, undefined where it says nothing. */
export function nameIn(subject: QuotaSubject, type: EntityType): string | null | undefined {
  return subject[partOf[type]];
}

export function toSubject(entity: readonly EntityPart[]): QuotaSubject | Refusal {
  if (entity.length === 0) return invalid('Invalid empty client quota entity');
  const subject: { user?: string | null; client?: string | null; address?: string | null } = {};
  for (const { entityType, entityName } of entity) {
    if (!isEntityType(entityType))
      return invalid(`Unhandled client quota entity type: ${entityType}`);
    const part = partOf[entityType];
    if (subject[part] !== undefined) return invalid(`Duplicate entity type: ${entityType}`);
    if (entityName === '') return invalid(`Empty ${entityType} not supported`);
    subject[part] = entityName;
  }
  if (subject.address !== undefined && Object.keys(subject).length > 1) {
    return invalid(
      'Invalid quota entity combination, IP entity should not be combined with other entities.',
    );
  }
  return subject;
}

export function toEntity(subject: QuotaSubject): EntityPart[] {
  const entity: EntityPart[] = [];
  for (const entityType of entityTypes) {
    const entityName = nameIn(subject, entityType);
    if (entityName !== undefined) entity.push({ entityType, entityName });
  }
  return entity;
}

/** What was asked for, in the order in which entities are told; types that are unknown come first. */
export function inOrder(entity: readonly EntityPart[]): EntityPart[] {
  const places: readonly string[] = entityTypes;
  return entity.toSorted((a, b) => places.indexOf(a.entityType) - places.indexOf(b.entityType));
}

/** The broker's name and value of a quota; an undefined value takes it away. */
export function toBound(
  subject: QuotaSubject,
  { key, value, remove }: { key: string; value: number; remove: boolean },
): { name: QuotaName; value: number | undefined } | Refusal {
  const found = quotaKeys.find((known) => known.key === key);
  if (found === undefined || found.isOfAddress !== (subject.address !== undefined)) {
    return invalid(`Invalid configuration key ${key}`);
  }
  if (remove) return { name: found.name, value: undefined };
  if (found.isWhole && !Number.isSafeInteger(value)) {
    return invalid(`Configuration ${key} must be a Long value`);
  }
  if (!Number.isFinite(value) || value <= 0) return invalid(`Quota ${key} must be greater than 0`);
  return { name: found.name, value: value * found.factor };
}

export function toValues(
  bounds: Readonly<Partial<Record<QuotaName, number>>>,
): Array<{ key: string; value: number }> {
  return quotaKeys.flatMap(({ key, name, factor }) => {
    const bound = bounds[name];
    return bound === undefined ? [] : [{ key, value: bound / factor }];
  });
}

function invalid(message: string): Refusal {
  return new Refusal(errorCodes.INVALID_REQUEST, message);
}
