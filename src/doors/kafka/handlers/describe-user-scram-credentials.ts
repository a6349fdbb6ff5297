// DescribeUserScramCredentials 0 (KIP-554). Users are those of the whole broker; who has no keys of SCRAM is not listed.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { findRepeated } from '../repetition.ts';
import { scramMechanismCodes, scramMechanismNames } from '../scram-mechanisms.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Result = ResponseInput<'DescribeUserScramCredentials'>['results'][number];

export function describeUserScramCredentials(
  context: HandlerContext,
  { users }: RequestOf<'DescribeUserScramCredentials'>,
): ResponseInput<'DescribeUserScramCredentials'> {
  const isForAll = users === null || users.length === 0;
  const names = isForAll
    ? context.broker.access.listUsers().map(({ name }) => name)
    : users.map(({ name }) => name);
  const repeated = findRepeated(names);
  const results = [...new Set(names)]
    .map((user) => (repeated.has(user) ? refuseRepeated(user) : describe(context, user)))
    .filter(({ errorCode }) => !isForAll || errorCode === errorCodes.NONE);
  return { errorCode: errorCodes.NONE, errorMessage: null, results };
}

function describe({ broker }: HandlerContext, user: string): Result {
  const credentialInfos = [];
  for (const mechanism of scramMechanismNames) {
    const keys = broker.access.findScramKeys(user, mechanism);
    if (keys === undefined) continue;
    credentialInfos.push({
      mechanism: scramMechanismCodes[mechanism],
      iterations: keys.iterations,
    });
  }
  const isKnown = credentialInfos.length > 0;
  return {
    user,
    errorCode: isKnown ? errorCodes.NONE : errorCodes.RESOURCE_NOT_FOUND,
    errorMessage: isKnown
      ? null
      : `Attempt to describe a user credential that does not exist: ${user}`,
    credentialInfos,
  };
}

function refuseRepeated(user: string): Result {
  return {
    user,
    errorCode: errorCodes.DUPLICATE_RESOURCE,
    errorMessage: `Cannot describe SCRAM credentials for the same user twice in a single request: ${user}`,
    credentialInfos: [],
  };
}
