// AlterConfigs 0-2 (KIP-133): replaces a topic's configuration as a whole; what is not named goes back to its default.
import { alterResources } from '../config-alteration.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import { addToChange, findTopicConfig, type TopicChange, topicConfigs } from '../topic-configs.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Resource = RequestOf<'AlterConfigs'>['resources'][number];

export async function alterConfigs(
  context: HandlerContext,
  request: RequestOf<'AlterConfigs'>,
): Promise<ResponseInput<'AlterConfigs'>> {
  const { resources, validateOnly } = request;
  return { responses: await alterResources(context, resources, validateOnly, planReplacement) };
}

function planReplacement({ configs }: Resource): TopicChange | Refusal {
  const change: TopicChange = { options: {}, attributes: {} };
  for (const config of topicConfigs) addToChange(change, config, undefined);
  for (const { name, value } of configs) {
    const config = findTopicConfig(name);
    if (config === undefined) {
      return new Refusal(errorCodes.INVALID_CONFIG, `Unknown topic config name: ${name}`);
    }
    if (value === null) {
      return new Refusal(errorCodes.INVALID_REQUEST, `Null value not supported for : ${name}`);
    }
    const problem = addToChange(change, config, value);
    if (problem !== undefined) return new Refusal(errorCodes.INVALID_CONFIG, problem);
  }
  return change;
}
