import { limits } from '../../base/index.ts';
import { type ConfigTypeName } from './config-kind.ts';
import { configSources } from './config-sources.ts';
import type { HandlerContext } from './handler.ts';
import { deadLetterPrefix } from './share-groups/index.ts';
import { topicConfigs } from './topic-configs.ts';

/** A configuration of the broker that Kafka's tools look at. None of them can be changed by a client. */
export interface BrokerConfig {
  readonly name: string;
  readonly value: string;
  readonly type: ConfigTypeName;
  readonly source: number;
  readonly documentation: string;
}

export function listBrokerConfigs(context: HandlerContext): BrokerConfig[] {
  const { broker, connection, door } = context;
  const { host, port } = connection.advertised;
  const address = `PLAINTEXT://${host}:${port}`;
  const own: BrokerConfig[] = [
    set('node.id', broker.brokerId, 'int', 'The number of this broker.'),
    set('broker.id', broker.brokerId, 'int', 'The number of this broker.'),
    set('listeners', address, 'string', 'Where clients connect.'),
    set('advertised.listeners', address, 'string', 'What clients are told to connect to.'),
    set('log.dirs', broker.storage().path, 'string', 'Where the data are.'),
    set('log.dir', broker.storage().path, 'string', 'Where the data are.'),
    set('num.partitions', broker.options.defaultPartitions, 'int', 'Partitions of a new topic.'),
    set(
      'auto.create.topics.enable',
      broker.options.createTopicsOnUse,
      'boolean',
      'Whether a topic is created when a client asks for it.',
    ),
    preset('delete.topic.enable', 'true', 'boolean', 'Whether topics may be deleted.'),
    preset('default.replication.factor', '1', 'int', 'Copies of each partition on brokers.'),
    preset('offsets.topic.replication.factor', '1', 'short', 'Copies of committed offsets.'),
    preset('transaction.state.log.replication.factor', '1', 'short', 'Copies of transactions.'),
    preset('transaction.state.log.min.isr', '1', 'int', 'Copies that must be written.'),
    preset(
      'transaction.max.timeout.ms',
      limits.transactionTimeoutMaxMs,
      'int',
      'The longest timeout of a transaction that a producer may ask for.',
    ),
    preset(
      'transactional.id.expiration.ms',
      limits.transactionalIdIdleMs,
      'int',
      'When a transactional id that is not used is forgotten.',
    ),
    preset('socket.request.max.bytes', limits.frameBytesMax, 'int', 'The largest request.'),
    preset('fetch.max.bytes', limits.fetchBytesMax, 'int', 'The largest response to a fetch.'),
    preset('max.connections', limits.connectionsMax, 'int', 'Connections at the same time.'),
    preset('connections.max.idle.ms', limits.idleMs, 'long', 'When idle connections are closed.'),
    preset(
      'errors.deadletterqueue.topic.name.prefix',
      deadLetterPrefix,
      'string',
      "How the names of share groups' dead-letter topics begin.",
    ),
    preset(
      'errors.deadletterqueue.auto.create.topics.enable',
      'false',
      'boolean',
      'Whether dead-letter topics are created when they are needed.',
    ),
    preset('group.max.size', limits.groupMembersMax, 'int', 'Members of a consumer group.'),
    ...door.shareGroups.configs.presets.properties.map(
      ({ name, value, kind, isSet, documentation }) =>
        (isSet ? set : preset)(name, value, kind.type, documentation),
    ),
    preset(
      'offset.metadata.max.bytes',
      limits.commitMetadataBytesMax,
      'int',
      'Text that may go with a committed offset.',
    ),
    preset('log.retention.hours', '168', 'int', 'Hours that records are kept.'),
  ];
  const names = new Set(own.map((config) => config.name));
  for (const { brokerName, kind, default: value, documentation } of topicConfigs) {
    if (names.has(brokerName)) continue;
    own.push(preset(brokerName, value, kind.type, documentation));
  }
  return own.toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

function set(
  name: string,
  value: string | number | boolean,
  type: ConfigTypeName,
  documentation: string,
): BrokerConfig {
  return { name, value: String(value), type, source: configSources.staticBroker, documentation };
}

function preset(
  name: string,
  value: string | number,
  type: ConfigTypeName,
  documentation: string,
): BrokerConfig {
  return { name, value: String(value), type, source: configSources.default, documentation };
}
