// UpdateFeatures 0-2 (KIP-584, KIP-778). The levels are what this broker speaks: asking for the one that is in force
// changes nothing, any other is refused.
import { errorCodes } from '../error-codes.ts';
import { features } from '../features.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Update = RequestOf<'UpdateFeatures'>['featureUpdates'][number];

export function updateFeatures(
  _context: HandlerContext,
  request: RequestOf<'UpdateFeatures'>,
  version: number,
): ResponseInput<'UpdateFeatures'> {
  const refusals = request.featureUpdates.map(judge);
  // From version 2 on it is all or nothing, and one error for all.
  const first = version >= 2 ? refusals.find((refusal) => refusal !== undefined) : undefined;
  return {
    errorCode: first?.errorCode ?? errorCodes.NONE,
    errorMessage: first?.message ?? null,
    results: request.featureUpdates.map(({ feature }, index) => ({
      feature,
      errorCode: refusals[index]?.errorCode ?? errorCodes.NONE,
      errorMessage: refusals[index]?.message ?? null,
    })),
  };
}

function judge({ feature, maxVersionLevel }: Update): Refusal | undefined {
  const known = features.find(({ name }) => name === feature);
  if (known === undefined) {
    return new Refusal(
      errorCodes.INVALID_UPDATE_VERSION,
      `Invalid update version ${maxVersionLevel} for feature ${feature}. This broker does not support this feature.`,
    );
  }
  if (known.level === maxVersionLevel) return undefined;
  return new Refusal(
    errorCodes.INVALID_UPDATE_VERSION,
    `Invalid update version ${maxVersionLevel} for feature ${feature}: its level is ${known.level} and stays so.`,
  );
}
