// CreateAcls 1-3 (KIP-140, KIP-290). It is answered when the rules are durable. ACLs that are there already are no error.
import type { AccessRule } from '../../../broker/index.ts';
import { readAcl } from '../acl-codes.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function createAcls(
  { broker }: HandlerContext,
  { creations }: RequestOf<'CreateAcls'>,
): Promise<ResponseInput<'CreateAcls'>> {
  const read = creations.map((creation) =>
    readAcl({ ...creation, patternType: creation.resourcePatternType }),
  );
  const rules = read.filter((rule): rule is AccessRule => !(rule instanceof Refusal));
  let failure: Refusal | undefined;
  try {
    await broker.access.addRules(rules);
  } catch (error) {
    failure = Refusal.from(error);
  }
  return {
    results: read.map((rule) => {
      const refusal = rule instanceof Refusal ? rule : failure;
      return {
        errorCode: refusal?.errorCode ?? errorCodes.NONE,
        errorMessage: refusal?.message ?? null,
      };
    }),
  };
}
