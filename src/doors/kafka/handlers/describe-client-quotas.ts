// DescribeClientQuotas 0-1 (KIP-546).
import type { QuotaSubject } from '../../../broker/index.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import {
  entityTypes,
  type EntityType,
  isEntityType,
  nameIn,
  toEntity,
  toValues,
} from '../quota-codes.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Component = RequestOf<'DescribeClientQuotas'>['components'][number];
/** What an entity must say of a type: a name, null for the default, undefined for anything but nothing. */
type Wanted = Map<EntityType, string | null | undefined>;

const matches = { exact: 0, default: 1, some: 2 } as const;

export function describeClientQuotas(
  { broker }: HandlerContext,
  { components, strict }: RequestOf<'DescribeClientQuotas'>,
): ResponseInput<'DescribeClientQuotas'> {
  const wanted = readComponents(components);
  if (wanted instanceof Refusal) {
    return { errorCode: wanted.errorCode, errorMessage: wanted.message, entries: null };
  }
  const entries = broker.quotas
    .list()
    .filter(({ subject }) => isWanted(subject, wanted, strict))
    .map(({ subject, bounds }) => ({ entity: toEntity(subject), values: toValues(bounds) }));
  return { errorCode: errorCodes.NONE, errorMessage: null, entries };
}

function readComponents(components: readonly Component[]): Wanted | Refusal {
  const wanted: Wanted = new Map();
  for (const { entityType, matchType, match } of components) {
    if (entityType === '') {
      return new Refusal(
        errorCodes.INVALID_REQUEST,
        'Unexpected empty filter component entity type',
      );
    }
    if (!isEntityType(entityType)) {
      return new Refusal(
        errorCodes.UNSUPPORTED_VERSION,
        `Custom entity type '${entityType}' not supported`,
      );
    }
    if (wanted.has(entityType)) {
      return new Refusal(
        errorCodes.INVALID_REQUEST,
        `Duplicate ${entityType} filter component entity type`,
      );
    }
    if (matchType === matches.exact && match !== null) wanted.set(entityType, match);
    else if (matchType === matches.default && match === null) wanted.set(entityType, null);
    else if (matchType === matches.some && match === null) wanted.set(entityType, undefined);
    else {
      return new Refusal(
        errorCodes.INVALID_REQUEST,
        `Unexpected match type ${matchType} with the match ${String(match)}`,
      );
    }
  }
  if (wanted.has('ip') && wanted.size > 1) {
    return new Refusal(
      errorCodes.INVALID_REQUEST,
      'Invalid entity filter component combination, IP filter component should not be used with user or clientId filter component.',
    );
  }
  return wanted;
}

function isWanted(subject: QuotaSubject, wanted: Wanted, isStrict: boolean): boolean {
  for (const type of entityTypes) {
    const name = nameIn(subject, type);
    if (!wanted.has(type)) {
      if (isStrict && name !== undefined) return false;
      continue;
    }
    const match = wanted.get(type);
    if (match === undefined ? name === undefined : name !== match) return false;
  }
  return true;
}
