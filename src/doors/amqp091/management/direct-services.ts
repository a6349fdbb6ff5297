import { type Clock, limits, type Random } from '../../../base/index.ts';
import type { BrokerPort } from '../../../broker/index.ts';
import type { DoorMetrics, Log } from '../../../net/index.ts';
import { ChannelMessages } from '../channel-messages.ts';
import { registrations } from '../handlers/index.ts';
import { Heartbeats } from '../heartbeats.ts';
import { MessageTools } from '../message-tools.ts';
import { QueuePolicies } from '../policies.ts';
import type { DoorServices } from '../services.ts';
import { Throttle } from '../throttle.ts';
import { emptyTable, keyOfMethod } from '../wire/index.ts';

export interface DirectServicesParts {
  readonly broker: BrokerPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: DoorMetrics;
  readonly messageBytesMax?: number | undefined;
}

/** What the AMQP door's handlers need, for channels without connections. */
export function directServices(parts: DirectServicesParts): DoorServices {
  const { broker, clock, random, log, metrics } = parts;
  const { queues, exchanges, access, publisher, peers, transactions } = broker;
  return {
    broker,
    queues,
    exchanges,
    access,
    publisher,
    peers,
    openTransaction: () => transactions.begin(),
    clock,
    random,
    messageBytesMax: parts.messageBytesMax ?? limits.messageBytesMax,
    partialBodiesBytesMax: limits.partialBodiesBytesMax,
    tools: new MessageTools(random),
    policies: new QueuePolicies({ access, queues, clock, log }),
    log,
    metrics,
    heartbeats: new Heartbeats(clock),
    throttle: new Throttle(broker, clock),
    handlers: new Map(registrations.map((one) => [keyOfMethod(one.name), one])),
    createMessages: (channel) => new ChannelMessages(channel),
    serverProperties: emptyTable,
    frameBytesMax: limits.frameBytesMax,
    channelsMax: 1,
    heartbeatS: 0,
  };
}
