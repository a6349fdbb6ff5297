import type { Topic } from '../../broker/index.ts';
import { resourceTypes } from './config-sources.ts';
import { errorCodes } from './error-codes.ts';
import type { HandlerContext } from './handler.ts';
import { Refusal } from './refusal.ts';
import { findRepeated } from './repetition.ts';
import type { TopicChange } from './topic-configs.ts';

/** A request to change one thing's configuration, in either of its two forms. */
export interface AlteredResource {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly configs: ReadonlyArray<{ readonly name: string }>;
}

export interface AlterationResult {
  errorCode: number;
  errorMessage: string | null;
  resourceType: number;
  resourceName: string;
}

/**
 * Changes each resource by itself, as Kafka does: what is wrong with one leaves the others alone. `plan` says what
 * becomes of a topic.
 */
export async function alterResources<R extends AlteredResource>(
  context: HandlerContext,
  resources: readonly R[],
  isDryRun: boolean,
  plan: (resource: R, topic: Topic) => TopicChange | Refusal,
): Promise<AlterationResult[]> {
  const results: AlterationResult[] = [];
  const repeated = findRepeated(resources.map(keyOf));
  for (const resource of resources) {
    const refusal = repeated.has(keyOf(resource))
      ? new Refusal(errorCodes.INVALID_REQUEST, 'Each resource must appear at most once.')
      : await alter(context, resource, isDryRun, plan);
    results.push({
      errorCode: refusal?.errorCode ?? errorCodes.NONE,
      errorMessage: refusal?.message ?? null,
      resourceType: resource.resourceType,
      resourceName: resource.resourceName,
    });
  }
  return results;
}

function keyOf({ resourceType, resourceName }: AlteredResource): string {
  return `${resourceType} ${resourceName}`;
}

async function alter<R extends AlteredResource>(
  { broker }: HandlerContext,
  resource: R,
  isDryRun: boolean,
  plan: (resource: R, topic: Topic) => TopicChange | Refusal,
): Promise<Refusal | undefined> {
  const names = resource.configs.map((config) => config.name);
  const repeated = findRepeated(names);
  if (repeated.size > 0) {
    return new Refusal(
      errorCodes.INVALID_REQUEST,
      `Error due to duplicate config keys : ${[...repeated].join(',')}`,
    );
  }
  if (resource.resourceType === resourceTypes.broker) {
    return names.length === 0
      ? undefined
      : new Refusal(
          errorCodes.INVALID_REQUEST,
          `Cannot update these configs dynamically: ${names.join(',')}`,
        );
  }
  if (resource.resourceType !== resourceTypes.topic) {
    return new Refusal(
      errorCodes.INVALID_REQUEST,
      `Unsupported resource type: ${resource.resourceType}`,
    );
  }
  const topic = broker.topics.find(resource.resourceName);
  if (topic === undefined) {
    return new Refusal(
      errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
      `The topic '${resource.resourceName}' does not exist.`,
    );
  }
  const change = plan(resource, topic);
  if (change instanceof Refusal) return change;
  if (isDryRun) return undefined;
  try {
    await broker.topics.configure(topic.name, change);
    return undefined;
  } catch (error) {
    return Refusal.from(error);
  }
}
