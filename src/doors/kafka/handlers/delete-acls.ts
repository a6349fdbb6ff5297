// DeleteAcls 1-3 (KIP-140, KIP-290): what any of the filters matches. It is answered when they are gone durably.
import type { AccessRule } from '../../../broker/index.ts';
import { readAclFilter, toAcl } from '../acl-codes.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Result = ResponseInput<'DeleteAcls'>['filterResults'][number];

export async function deleteAcls(
  { broker }: HandlerContext,
  { filters }: RequestOf<'DeleteAcls'>,
): Promise<ResponseInput<'DeleteAcls'>> {
  const found = filters.map((wanted): readonly AccessRule[] | Refusal => {
    const filter = readAclFilter(wanted);
    if (filter instanceof Refusal) return filter;
    return filter === undefined ? [] : broker.access.listRules(filter);
  });
  const rules = new Set(found.flatMap((rulesOf) => (rulesOf instanceof Refusal ? [] : rulesOf)));
  let failure: Refusal | undefined;
  try {
    await broker.access.deleteRules([...rules]);
  } catch (error) {
    failure = Refusal.from(error);
  }
  return { filterResults: found.map((rulesOf) => answer(rulesOf, failure)) };
}

function answer(found: readonly AccessRule[] | Refusal, failure: Refusal | undefined): Result {
  const refusal = found instanceof Refusal ? found : failure;
  if (refusal !== undefined || found instanceof Refusal) {
    return {
      errorCode: refusal?.errorCode ?? errorCodes.UNKNOWN_SERVER_ERROR,
      errorMessage: refusal?.message ?? null,
      matchingAcls: [],
    };
  }
  return {
    errorCode: errorCodes.NONE,
    errorMessage: null,
    matchingAcls: found.map((rule) =>
      Object.assign({ errorCode: errorCodes.NONE, errorMessage: null }, toAcl(rule)),
    ),
  };
}
