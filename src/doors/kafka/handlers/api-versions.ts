// ApiVersions 0-4 (KIP-35, KIP-511, KIP-584). The features have one level each, which cannot be switched.
import { errorCodes } from '../error-codes.ts';
import { features, featuresEpoch } from '../features.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

/** What Kafka accepts as name and version of a client's software, because they become labels of metrics. */
const softwarePattern = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

export function apiVersions(
  context: HandlerContext,
  request: RequestOf<'ApiVersions'>,
  version: number,
): ResponseInput<'ApiVersions'> {
  const isValid =
    version < 3 ||
    (softwarePattern.test(request.clientSoftwareName) &&
      softwarePattern.test(request.clientSoftwareVersion));
  if (!isValid) return { errorCode: errorCodes.INVALID_REQUEST, apiKeys: [] };
  return {
    errorCode: errorCodes.NONE,
    apiKeys: context.door.apiVersions,
    // A lowest level of 0 is more than clients of version 3 can read.
    supportedFeatures: version >= 4 ? supportedFeatures : [],
    finalizedFeaturesEpoch: featuresEpoch,
    finalizedFeatures,
  };
}

const supportedFeatures = features.map(({ name, minVersion, maxVersion }) => ({
  name,
  minVersion,
  maxVersion,
}));

const finalizedFeatures = features.map(({ name, level }) => ({
  name,
  minVersionLevel: level,
  maxVersionLevel: level,
}));

/** The answer to a version that we do not know, to be sent as version 0: the client then asks again. */
export function unsupportedApiVersions(context: HandlerContext): ResponseInput<'ApiVersions'> {
  return { errorCode: errorCodes.UNSUPPORTED_VERSION, apiKeys: context.door.apiVersions };
}
