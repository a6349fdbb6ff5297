import { ProtocolError } from '../../../base/index.ts';
import { ByteReader } from '../../../bytes/index.ts';
import { FrameWriter } from './frame-writer.ts';
import { MessageCodec } from './message-codec.ts';
import {
  array,
  bytes,
  type InOf,
  int32,
  type OutOf,
  string,
  type Struct,
  struct,
} from './schema.ts';

/**
 * What consumers tell each other through JoinGroup and SyncGroup when the protocol type is "consumer": opaque to a
 * broker, but its tools show it. Each is a version of 16 bits and a message of that version.
 */
const versions = [0, 3] as const;

const partitions = struct({ topic: string(), partitions: array(int32()) });

const subscription = struct({
  topics: array(string()),
  userData: bytes({ nullable: 0, default: null }),
  ownedPartitions: array(partitions, { since: 1, ignorable: true }),
  generationId: int32({ since: 2, default: -1, ignorable: true }),
  rackId: string({ since: 3, nullable: 3, default: null, ignorable: true }),
});

const assignment = struct({
  assignedPartitions: array(partitions),
  userData: bytes({ nullable: 0, default: null }),
});

export type ConsumerSubscription = OutOf<typeof subscription>;
export type ConsumerAssignment = OutOf<typeof assignment>;

const subscriptionCodec = new MessageCodec(subscription, {
  name: 'ConsumerSubscription',
  versions,
});
const assignmentCodec = new MessageCodec(assignment, { name: 'ConsumerAssignment', versions });

export function decodeConsumerSubscription(message: Uint8Array): ConsumerSubscription {
  return decode(subscriptionCodec, message);
}

export function encodeConsumerSubscription(
  version: number,
  message: InOf<typeof subscription>,
): Uint8Array {
  return encode(subscriptionCodec, version, message);
}

export function decodeConsumerAssignment(message: Uint8Array): ConsumerAssignment {
  return decode(assignmentCodec, message);
}

export function encodeConsumerAssignment(
  version: number,
  message: InOf<typeof assignment>,
): Uint8Array {
  return encode(assignmentCodec, version, message);
}

/** A version beyond ours only has more behind the fields that we know: a rule of the format. */
function decode<S extends Struct>(codec: MessageCodec<S>, message: Uint8Array): OutOf<S> {
  const reader = new ByteReader(message);
  const version = reader.int16();
  if (version < versions[0]) throw new ProtocolError(`There is no version ${version}`);
  return codec.read(Math.min(version, versions[1]), reader);
}

function encode<S extends Struct>(
  codec: MessageCodec<S>,
  version: number,
  message: InOf<S>,
): Uint8Array {
  const writer = new FrameWriter(2);
  writer.buffer.writeInt16BE(version, 0);
  codec.write(version, message, writer);
  return writer.buffer.subarray(0, writer.position);
}
