import type { PeersPort } from '../../broker/index.ts';
import type { DoorMetrics, Log } from '../../net/index.ts';
import type { MessageHalf, Registration } from './handler.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { MessageChannel, MessageServices } from './message-channel.ts';
import type { QueuePolicies } from './policies.ts';
import type { Throttle } from './throttle.ts';
import type { FieldTable } from './wire/index.ts';

/** What all connections of the door share. */
export interface DoorServices extends MessageServices {
  readonly peers: PeersPort;
  readonly policies: QueuePolicies;
  readonly log: Log;
  readonly metrics: DoorMetrics;
  readonly heartbeats: Heartbeats;
  readonly throttle: Throttle;
  /** By class and method. */
  readonly handlers: ReadonlyMap<number, Registration>;
  createMessages(channel: MessageChannel): MessageHalf;
  readonly serverProperties: FieldTable;
  readonly frameBytesMax: number;
  readonly channelsMax: number;
  readonly heartbeatS: number;
}
