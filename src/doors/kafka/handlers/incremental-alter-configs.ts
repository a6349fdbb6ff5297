// IncrementalAlterConfigs 0-1 (KIP-339): sets, resets, and changes the items of lists.
import type { Topic } from '../../../broker/index.ts';
import { alterResources } from '../config-alteration.ts';
import { splitList } from '../config-kind.ts';
import { errorCodes } from '../error-codes.ts';
import { parseGroupConfig } from '../group-config.ts';
import type { GroupConfigs } from '../group-configs.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import {
  addToChange,
  findTopicConfig,
  type TopicChange,
  type TopicConfig,
  valueOf,
} from '../topic-configs.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Resource = RequestOf<'IncrementalAlterConfigs'>['resources'][number];

const operations = { set: 0, delete: 1, append: 2, subtract: 3 } as const;

export async function incrementalAlterConfigs(
  context: HandlerContext,
  request: RequestOf<'IncrementalAlterConfigs'>,
): Promise<ResponseInput<'IncrementalAlterConfigs'>> {
  const { resources, validateOnly } = request;
  return {
    responses: await alterResources(
      context,
      resources,
      validateOnly,
      planChanges,
      (resource, own) => planGroup(context.door.shareGroups.configs, resource, own),
    ),
  };
}

function planChanges({ configs }: Resource, topic: Topic): TopicChange | Refusal {
  const change: TopicChange = { options: {}, attributes: {} };
  for (const { name, configOperation, value } of configs) {
    const config = findTopicConfig(name);
    if (config === undefined) {
      return new Refusal(errorCodes.INVALID_CONFIG, `Unknown topic config name: ${name}`);
    }
    const wanted = apply(config, topic, configOperation, value);
    if (wanted instanceof Refusal) return wanted;
    const problem = addToChange(change, config, wanted);
    if (problem !== undefined) return new Refusal(errorCodes.INVALID_CONFIG, problem);
  }
  return change;
}

function planGroup(
  known: GroupConfigs,
  { configs }: Resource,
  own: Readonly<Record<string, string>>,
): Record<string, string> | Refusal {
  const wanted: Record<string, string> = { ...own };
  for (const { name, configOperation, value } of configs) {
    const config = known.find(name);
    if (config === undefined) {
      return new Refusal(errorCodes.INVALID_CONFIG, `Unknown group config name: ${name}`);
    }
    if (configOperation === operations.delete) {
      delete wanted[name];
      continue;
    }
    if (configOperation !== operations.set || value === null) {
      return new Refusal(errorCodes.INVALID_REQUEST, `${name} can only be set or deleted.`);
    }
    const parsed = parseGroupConfig(config, value);
    if ('problem' in parsed) {
      const problem = `Invalid value ${value} for configuration ${name}: ${parsed.problem}`;
      return new Refusal(errorCodes.INVALID_CONFIG, problem);
    }
    wanted[name] = parsed.value;
  }
  return wanted;
}

/** The value that the operation leads to; undefined for the default. */
function apply(
  config: TopicConfig,
  topic: Topic,
  operation: number,
  value: string | null,
): string | undefined | Refusal {
  const { name, kind } = config;
  if (operation === operations.delete) return undefined;
  if (value === null) {
    return new Refusal(errorCodes.INVALID_REQUEST, `Null value not supported for : ${name}`);
  }
  if (operation === operations.set) return value;
  if (operation !== operations.append && operation !== operations.subtract) {
    return new Refusal(errorCodes.INVALID_REQUEST, `Unknown operation type ${operation}`);
  }
  if (kind.type !== 'list') {
    const verb = operation === operations.append ? 'APPEND' : 'SUBTRACT';
    return new Refusal(
      errorCodes.INVALID_CONFIG,
      `Can't ${verb} to key ${name} because its type is not LIST.`,
    );
  }
  const items = splitList(valueOf(config, topic).value);
  const changed = splitList(value);
  const result =
    operation === operations.append
      ? [...items, ...changed.filter((item) => !items.includes(item))]
      : items.filter((item) => !changed.includes(item));
  return result.join(',');
}
