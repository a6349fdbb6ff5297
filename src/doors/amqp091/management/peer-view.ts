import type { PeerChannel, PeerConnection, PeerConsumer } from '../../../broker/index.ts';
import { vhostOf } from '../vhost.ts';
import type { ApiContext } from './api.ts';
import { isObject, type JsonObject } from './body.ts';
import type { Counters } from './samples.ts';

export function connectionKey({ name }: PeerConnection): string {
  return `connection\0${name}`;
}

export function channelName(connection: PeerConnection, { number }: PeerChannel): string {
  return `${connection.name} (${number})`;
}

export function channelKey(connection: PeerConnection, channel: PeerChannel): string {
  return `channel\0${channelName(connection, channel)}`;
}

export function connectionCounters(details: Record<string, unknown>): Counters {
  return pickNumbers(details, ['recv_oct', 'send_oct']);
}

export function channelCounters(details: Record<string, unknown>): Counters {
  const stats = details['message_stats'];
  return isObject(stats) ? pickNumbers(stats, Object.keys(stats)) : {};
}

function pickNumbers(from: JsonObject, names: readonly string[]): Counters {
  const numbers: Record<string, number> = {};
  for (const name of names) {
    const value = from[name];
    if (typeof value === 'number') numbers[name] = value;
  }
  return numbers;
}

/** What every connection has; doors that say more win. */
const connectionInitials = {
  state: 'running',
  auth_mechanism: null,
  channel_max: 0,
  frame_max: 0,
  timeout: 0,
  client_properties: {},
  peer_cert_issuer: null,
  peer_cert_subject: null,
  peer_cert_validity: null,
  recv_cnt: 0,
  recv_oct: 0,
  send_cnt: 0,
  send_oct: 0,
  send_pend: 0,
  ssl_cipher: null,
  ssl_hash: null,
  ssl_key_exchange: null,
  ssl_protocol: null,
};

export function showConnection(
  { samples, nodeName }: ApiContext,
  connection: PeerConnection,
): JsonObject {
  const details = connection.details();
  return {
    ...connectionInitials,
    channels: connection.channels().length,
    connected_at: connection.connectedMs,
    host: connection.host,
    name: connection.name,
    node: nodeName,
    peer_host: connection.peerHost,
    peer_port: connection.peerPort,
    port: connection.port,
    protocol: connection.protocol,
    ssl: connection.isTls,
    type: 'network',
    user: connection.user,
    user_who_performed_action: connection.user,
    vhost: vhostOf(connection.namespace),
    ...details,
    ...samples.describe(connectionKey(connection), connectionCounters(details)),
  };
}

export function showChannel(
  { samples, nodeName }: ApiContext,
  connection: PeerConnection,
  channel: PeerChannel,
): JsonObject {
  const details = channel.details();
  const { name, peerHost, peerPort } = connection;
  return {
    acks_uncommitted: 0,
    confirm: false,
    connection_details: { name, peer_host: peerHost, peer_port: peerPort },
    consumer_count: channel.consumers().length,
    global_prefetch_count: 0,
    messages_unacknowledged: 0,
    messages_uncommitted: 0,
    messages_unconfirmed: 0,
    node: nodeName,
    pending_raft_commands: 0,
    prefetch_count: 0,
    state: 'running',
    transactional: false,
    ...details,
    message_stats: samples.describe(channelKey(connection, channel), channelCounters(details)),
    name: channelName(connection, channel),
    number: channel.number,
    user: connection.user,
    user_who_performed_action: connection.user,
    vhost: vhostOf(connection.namespace),
  };
}

export function listConsumers(
  context: ApiContext,
  isWanted: (consumer: PeerConsumer) => boolean,
): JsonObject[] {
  const shown: JsonObject[] = [];
  for (const connection of context.broker.peers.list()) {
    for (const channel of connection.channels()) {
      for (const consumer of channel.consumers()) {
        if (isWanted(consumer)) shown.push(showConsumer(context, connection, channel, consumer));
      }
    }
  }
  return shown;
}

function showConsumer(
  { nodeName }: ApiContext,
  connection: PeerConnection,
  channel: PeerChannel,
  consumer: PeerConsumer,
): JsonObject {
  const { tag, queue } = consumer;
  return {
    arguments: {},
    ack_required: true,
    active: true,
    activity_status: 'up',
    exclusive: false,
    prefetch_count: 0,
    ...consumer.details(),
    channel_details: {
      connection_name: connection.name,
      name: channelName(connection, channel),
      node: nodeName,
      number: channel.number,
      peer_host: connection.peerHost,
      peer_port: connection.peerPort,
      user: connection.user,
    },
    consumer_tag: tag,
    queue: { name: queue.name, vhost: vhostOf(queue.namespace) },
  };
}
