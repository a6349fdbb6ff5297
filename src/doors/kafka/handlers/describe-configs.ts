// DescribeConfigs 1-4 (KIP-133, KIP-226, KIP-569) of topics, of groups and of this broker. Nothing here is secret.
import { limits } from '../../../base/index.ts';
import type { Topic } from '../../../broker/index.ts';
import { listBrokerConfigs } from '../broker-configs.ts';
import { configTypes } from '../config-kind.ts';
import { configSources, resourceTypes } from '../config-sources.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { once } from '../repetition.ts';
import { type TopicConfig, topicConfigs, valueOf } from '../topic-configs.ts';
import { isTopicName } from '../topic-creation.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Request = RequestOf<'DescribeConfigs'>;
type Resource = Request['resources'][number];
type Result = ResponseInput<'DescribeConfigs'>['results'][number];
type Entry = Result['configs'][number];

export function describeConfigs(
  context: HandlerContext,
  request: Request,
): ResponseInput<'DescribeConfigs'> {
  const resources = once(request.resources, keyOf);
  let told = 0;
  const results = resources.map((resource) => {
    if (told >= limits.describedConfigsMax) {
      return failure(resource, errorCodes.INVALID_REQUEST, 'That is too much for one answer.');
    }
    const result = describe(context, request, resource);
    told += result.configs.length;
    return result;
  });
  return { results };
}

function keyOf({ resourceType, resourceName }: Resource): string {
  return `${resourceType} ${resourceName}`;
}

function describe(context: HandlerContext, request: Request, resource: Resource): Result {
  const { resourceName: name } = resource;
  switch (resource.resourceType) {
    case resourceTypes.topic:
      return describeTopic(context, request, resource);
    case resourceTypes.broker: {
      // The empty name stands for defaults that were set for all brokers while they run: there are none.
      if (name === '') return success(resource, []);
      if (name !== String(context.broker.brokerId)) {
        const expected = context.broker.brokerId;
        return failure(
          resource,
          errorCodes.INVALID_REQUEST,
          `Unexpected broker id, expected ${expected} or empty string, but received ${name}`,
        );
      }
      return success(resource, describeBroker(context, request, resource));
    }
    case resourceTypes.group:
      if (name === '') {
        return failure(resource, errorCodes.INVALID_REQUEST, 'The group id must not be empty.');
      }
      return success(resource, describeGroup(context, request, resource));
    case resourceTypes.clientMetrics:
      return success(resource, []);
    default:
      return failure(
        resource,
        errorCodes.INVALID_REQUEST,
        `Unsupported resource type: ${resource.resourceType}`,
      );
  }
}

function describeTopic(context: HandlerContext, request: Request, resource: Resource): Result {
  const name = resource.resourceName;
  if (!isTopicName(name)) {
    return failure(
      resource,
      errorCodes.INVALID_TOPIC_EXCEPTION,
      `Topic name is not valid: ${name}`,
    );
  }
  const topic = context.broker.topics.find(name);
  if (topic === undefined) {
    return failure(resource, errorCodes.UNKNOWN_TOPIC_OR_PARTITION, `Unknown topic: ${name}`);
  }
  const entries = topicConfigs
    .filter((config) => isAsked(resource, config.name))
    .map((config) => describeConfig(config, topic, request));
  return success(resource, entries);
}

function describeConfig(config: TopicConfig, topic: Topic, request: Request): Entry {
  const { value, isOwn } = valueOf(config, topic);
  const byDefault = { name: config.brokerName, value: config.default };
  const synonyms = [
    ...(isOwn ? [{ name: config.name, value, source: configSources.topic }] : []),
    ...(config.isSetForAll === true ? [{ ...byDefault, source: configSources.allBrokers }] : []),
    { ...byDefault, source: configSources.default },
  ];
  return {
    name: config.name,
    value,
    readOnly: false,
    configSource: synonyms[0]?.source ?? configSources.default,
    isSensitive: false,
    synonyms: request.includeSynonyms ? synonyms : [],
    configType: configTypes[config.kind.type],
    documentation: request.includeDocumentation ? config.documentation : null,
  };
}

function describeBroker(context: HandlerContext, request: Request, resource: Resource): Entry[] {
  return listBrokerConfigs(context)
    .filter((config) => isAsked(resource, config.name))
    .map(({ name, value, type, source, documentation }) => ({
      name,
      value,
      readOnly: true,
      configSource: source,
      isSensitive: false,
      synonyms: request.includeSynonyms ? [{ name, value, source }] : [],
      configType: configTypes[type],
      documentation: request.includeDocumentation ? documentation : null,
    }));
}

function describeGroup({ door }: HandlerContext, request: Request, resource: Resource): Entry[] {
  const { configs } = door.shareGroups;
  const own = configs.own(resource.resourceName);
  return configs.all
    .filter((config) => isAsked(resource, config.name))
    .map(({ name, kind, default: byDefault, preset, brokerName, documentation }) => {
      const value = own[name];
      const outer = brokerName ?? name;
      const synonyms = [
        ...(value === undefined ? [] : [{ name, value, source: configSources.group }]),
        ...(preset === undefined
          ? []
          : [{ name: outer, value: preset, source: configSources.staticBroker }]),
        { name: outer, value: byDefault, source: configSources.default },
      ];
      return {
        name,
        value: value ?? preset ?? byDefault,
        readOnly: false,
        configSource: synonyms[0]?.source ?? configSources.default,
        isSensitive: false,
        synonyms: request.includeSynonyms ? synonyms : [],
        configType: configTypes[kind.type],
        documentation: request.includeDocumentation ? documentation : null,
      };
    });
}

/** No keys and an empty list of keys both mean all. */
function isAsked({ configurationKeys }: Resource, name: string): boolean {
  return (
    configurationKeys === null || configurationKeys.length === 0 || configurationKeys.includes(name)
  );
}

function success({ resourceType, resourceName }: Resource, configs: Entry[]): Result {
  return { errorCode: errorCodes.NONE, errorMessage: null, resourceType, resourceName, configs };
}

function failure(
  { resourceType, resourceName }: Resource,
  errorCode: number,
  errorMessage: string,
): Result {
  return { errorCode, errorMessage, resourceType, resourceName, configs: [] };
}
