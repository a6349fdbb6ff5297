// ListConfigResources 0-1 (KIP-714, KIP-1142). There are no configurations of client metrics.
import { resourceTypes } from '../config-sources.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function listConfigResources(
  { broker, door }: HandlerContext,
  request: RequestOf<'ListConfigResources'>,
  version: number,
): ResponseInput<'ListConfigResources'> {
  const known: number[] = Object.values(resourceTypes);
  if (request.resourceTypes.some((type) => !known.includes(type))) {
    return { errorCode: errorCodes.UNSUPPORTED_VERSION, configResources: [] };
  }
  const isAsked = (type: number): boolean =>
    version > 0 && (request.resourceTypes.length === 0 || request.resourceTypes.includes(type));
  const configResources: Array<{ resourceName: string; resourceType: number }> = [];
  if (isAsked(resourceTypes.topic)) {
    for (const { name } of broker.topics.list()) {
      configResources.push({ resourceName: name, resourceType: resourceTypes.topic });
    }
  }
  if (isAsked(resourceTypes.broker)) {
    configResources.push({
      resourceName: String(broker.brokerId),
      resourceType: resourceTypes.broker,
    });
  }
  if (isAsked(resourceTypes.group)) {
    for (const resourceName of door.shareGroups.configs.list()) {
      configResources.push({ resourceName, resourceType: resourceTypes.group });
    }
  }
  return { errorCode: errorCodes.NONE, configResources };
}
