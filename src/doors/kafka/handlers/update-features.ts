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
): ResponseInput<'UpdateFeatures'> {
  const refusal = request.featureUpdates.map(judge).find((judged) => judged !== undefined);
  // All or nothing, with one error for all, in every version: so answers Kafka since 4.0 (KIP-1022).
  if (refusal !== undefined) {
    const message = `The update failed for all features since the following feature had an error: ${refusal.message}`;
    return { errorCode: refusal.errorCode, errorMessage: message, results: [] };
  }
  return {
    errorCode: errorCodes.NONE,
    errorMessage: null,
    results: request.featureUpdates.map(({ feature }) => ({
      feature,
      errorCode: errorCodes.NONE,
      errorMessage: null,
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
