// DescribeCluster 0-2 (KIP-700, KIP-919). There are no controllers to talk to.
import { clusterOperations, operationsOmitted } from '../authorized-operations.ts';
import { clusterIdOf } from '../cluster-id.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

const endpointTypes = { brokers: 1, controllers: 2 } as const;

export function describeCluster(
  { broker, connection }: HandlerContext,
  request: RequestOf<'DescribeCluster'>,
): ResponseInput<'DescribeCluster'> {
  const { endpointType } = request;
  if (endpointType !== endpointTypes.brokers) {
    const isController = endpointType === endpointTypes.controllers;
    return {
      errorCode: isController
        ? errorCodes.MISMATCHED_ENDPOINT_TYPE
        : errorCodes.UNSUPPORTED_ENDPOINT_TYPE,
      errorMessage: isController
        ? 'this is an endpoint for clients of brokers, not of controllers'
        : `unknown endpoint type ${endpointType}`,
      endpointType: endpointTypes.brokers,
      clusterId: '',
      brokers: [],
    };
  }
  const { host, port } = connection.advertised;
  return {
    errorCode: errorCodes.NONE,
    endpointType,
    clusterId: clusterIdOf(broker.storeId),
    controllerId: broker.brokerId,
    brokers: [{ brokerId: broker.brokerId, host, port }],
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? clusterOperations
      : operationsOmitted,
  };
}
