import { limits } from '../../base/index.ts';
import type { Topic } from '../../broker/index.ts';
import { resourceTypes } from './config-sources.ts';
import { errorCodes } from './error-codes.ts';
import { deadLetterConfigs } from './group-config.ts';
import type { HandlerContext } from './handler.ts';
import { ensureInternalTopic, internalTopics } from './internal-topics.ts';
import { Refusal } from './refusal.ts';
import { findRepeated } from './repetition.ts';
import { findDeadLetterProblem } from './share-groups/index.ts';
import type { TopicChange } from './topic-configs.ts';

/** A request to change one thing's configuration, in either of its two forms. */
export interface AlteredResource {
  readonly resourceType: number;
  readonly resourceName: string;
  /** `configOperation`: 1 for one that is reset. */
  readonly configs: ReadonlyArray<{ readonly name: string; readonly configOperation?: number }>;
}

const resetOperation = 1;

export interface AlterationResult {
  errorCode: number;
  errorMessage: string | null;
  resourceType: number;
  resourceName: string;
}

/** What a group's configurations become: those that are set. */
export type GroupPlan<R> = (
  resource: R,
  own: Readonly<Record<string, string>>,
) => Record<string, string> | Refusal;

/**
 * Changes each resource by itself, as Kafka does: what is wrong with one leaves the others alone. `plan` says what
 * becomes of a topic, `planGroup` of a group; without it groups are refused.
 */
export async function alterResources<R extends AlteredResource>(
  context: HandlerContext,
  resources: readonly R[],
  isDryRun: boolean,
  plan: (resource: R, topic: Topic) => TopicChange | Refusal,
  planGroup?: GroupPlan<R>,
): Promise<AlterationResult[]> {
  const results: AlterationResult[] = [];
  const repeated = findRepeated(resources.map(keyOf));
  for (const resource of resources) {
    const refusal = repeated.has(keyOf(resource))
      ? new Refusal(errorCodes.INVALID_REQUEST, 'Each resource must appear at most once.')
      : await alter(context, resource, isDryRun, plan, planGroup);
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
  context: HandlerContext,
  resource: R,
  isDryRun: boolean,
  plan: (resource: R, topic: Topic) => TopicChange | Refusal,
  planGroup: GroupPlan<R> | undefined,
): Promise<Refusal | undefined> {
  const { broker } = context;
  const names = resource.configs.map((config) => config.name);
  const repeated = findRepeated(names);
  if (repeated.size > 0) {
    return new Refusal(
      errorCodes.INVALID_REQUEST,
      `Error due to duplicate config keys : ${[...repeated].join(',')}`,
    );
  }
  if (resource.resourceType === resourceTypes.broker) {
    // Resetting changes nothing, and tools do it to end what they might have set.
    const set = resource.configs.filter(
      ({ configOperation }) => configOperation !== resetOperation,
    );
    if (set.length === 0) return undefined;
    return new Refusal(
      errorCodes.INVALID_REQUEST,
      `Cannot update these configs dynamically: ${set.map(({ name }) => name).join(',')}`,
    );
  }
  if (resource.resourceType === resourceTypes.group && planGroup !== undefined) {
    return alterGroup(context, resource, isDryRun, planGroup);
  }
  if (resource.resourceType === resourceTypes.clientMetrics) {
    return new Refusal(
      errorCodes.INVALID_REQUEST,
      'This broker does not collect the metrics of clients.',
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

async function alterGroup<R extends AlteredResource>(
  context: HandlerContext,
  resource: R,
  isDryRun: boolean,
  planGroup: GroupPlan<R>,
): Promise<Refusal | undefined> {
  const groupId = resource.resourceName;
  if (groupId === '' || Buffer.byteLength(groupId) > limits.nameBytesMax) {
    return new Refusal(errorCodes.INVALID_REQUEST, 'The group id is empty or too long.');
  }
  const { configs, queues } = context.door.shareGroups;
  const wanted = planGroup(resource, configs.own(groupId));
  if (wanted instanceof Refusal) return wanted;
  const deadLetterTopic = wanted[deadLetterConfigs.topic] ?? '';
  const problem = findDeadLetterProblem(context.broker, deadLetterTopic);
  if (problem !== undefined) {
    return new Refusal(
      errorCodes.INVALID_CONFIG,
      `Invalid value ${deadLetterTopic} for configuration ${deadLetterConfigs.topic}: ${problem}`,
    );
  }
  if (isDryRun) return undefined;
  try {
    await ensureInternalTopic(context, internalTopics.offsets);
    await configs.change(groupId, wanted);
    await queues.configure(groupId);
    return undefined;
  } catch (error) {
    return Refusal.from(error);
  }
}
