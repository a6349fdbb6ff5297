/**
 * How a group whose coordinator divides the work is stored: a state of the group, and one of each member, so that a
 * heartbeat which changes one member writes only that one. Big endian; `text` and `bytes` are an unsigned varint of the
 * length in bytes and then the UTF-8 text or the bytes, `optional` is uint8 0, or 1 and the value.
 *
 *   group    version          uint8    2 (1 is the state in group-record.ts)
 *            epoch            int32
 *            assignmentEpoch  int32
 *            emptySinceMs     int64    ms since the epoch, 0 while there are members
 *            topics           text     fingerprint of the topics that the last epoch knew
 *
 *   member   version          uint8    1
 *            instanceId       optional text
 *            rackId           optional text
 *            clientId, clientHost       text
 *            sessionTimeoutMs, rebalanceTimeoutMs   int32
 *            topics           varint count, then text each
 *            pattern          text
 *            assignorName     optional text
 *            protocols        optional: varint count, then per protocol name text, metadata bytes
 *            epoch, previousEpoch       int32
 *            progress         uint8    0 stable, 1 revoking, 2 waiting
 *            held, revoking   as in partition-set.ts, with epochs
 *            target           as in partition-set.ts
 *
 * To change it: write the next version number, keep the reader of every older one, and describe the difference here.
 */
import { BrokerError, ProtocolError } from '../../base/index.ts';
import { ByteReader, ByteWriter } from '../../bytes/index.ts';
import {
  createManagedMember,
  type ManagedMember,
  type ManagedMemberRecord,
  type MemberProgress,
} from './managed-member.ts';
import type { MemberProtocol } from './member.ts';
import { readHeld, readSet, readText, writeHeld, writeSet, writeText } from './partition-set.ts';

const groupVersion = 2;
const memberVersion = 1;
const progresses: readonly MemberProgress[] = ['stable', 'revoking', 'waiting'];

export interface ManagedGroupRecord {
  readonly epoch: number;
  readonly assignmentEpoch: number;
  readonly emptySinceMs: number;
  readonly fingerprint: string;
}

export function isManagedRecord(bytes: Uint8Array): boolean {
  return bytes[0] === groupVersion;
}

export function encodeManagedGroup(group: ManagedGroupRecord): Uint8Array {
  const writer = new ByteWriter(64);
  writer.uint8(groupVersion);
  writer.int32(group.epoch);
  writer.int32(group.assignmentEpoch);
  writer.safeInt64(group.emptySinceMs);
  writeText(writer, group.fingerprint);
  return writer.take();
}

/** Throws `storage-damaged`. */
export function decodeManagedGroup(groupId: string, bytes: Uint8Array): ManagedGroupRecord {
  return decode(groupId, bytes, (reader) => {
    checkVersion(reader, groupVersion);
    return {
      epoch: reader.int32(),
      assignmentEpoch: reader.int32(),
      emptySinceMs: reader.safeInt64(),
      fingerprint: readText(reader),
    };
  });
}

export function encodeManagedMember(member: ManagedMemberRecord): Uint8Array {
  const writer = new ByteWriter(256);
  writer.uint8(memberVersion);
  writeOptional(writer, member.instanceId);
  writeOptional(writer, member.rackId);
  writeText(writer, member.clientId);
  writeText(writer, member.clientHost);
  writer.int32(member.sessionTimeoutMs);
  writer.int32(member.rebalanceTimeoutMs);
  writer.unsignedVarint(member.topics.length);
  for (const topic of member.topics) writeText(writer, topic);
  writeText(writer, member.pattern);
  writeOptional(writer, member.assignorName);
  writer.uint8(member.protocols === undefined ? 0 : 1);
  if (member.protocols !== undefined) {
    writer.unsignedVarint(member.protocols.length);
    for (const { name, metadata } of member.protocols) {
      writeText(writer, name);
      writer.unsignedVarint(metadata.length);
      writer.bytes(metadata);
    }
  }
  writer.int32(member.epoch);
  writer.int32(member.previousEpoch);
  writer.uint8(progresses.indexOf(member.progress));
  writeHeld(writer, member.held);
  writeHeld(writer, member.revoking);
  writeSet(writer, member.target);
  return writer.take();
}

/** Throws `storage-damaged`. Nothing of `bytes` is kept. */
export function decodeManagedMember(
  groupId: string,
  memberId: string,
  bytes: Uint8Array,
): ManagedMember {
  return decode(groupId, bytes, (reader) => {
    checkVersion(reader, memberVersion);
    const instanceId = readOptional(reader);
    const rackId = readOptional(reader);
    const clientId = readText(reader);
    const clientHost = readText(reader);
    const sessionTimeoutMs = reader.int32();
    const rebalanceTimeoutMs = reader.int32();
    const topics: string[] = [];
    for (let count = reader.unsignedVarint(); count > 0; count--) topics.push(readText(reader));
    const pattern = readText(reader);
    const assignorName = readOptional(reader);
    const protocols = reader.uint8() === 0 ? undefined : readProtocols(reader);
    const epoch = reader.int32();
    const previousEpoch = reader.int32();
    const progress = progresses[reader.uint8()];
    if (progress === undefined) throw new ProtocolError('the progress of a member is not known');
    return createManagedMember({
      memberId,
      instanceId,
      rackId,
      clientId,
      clientHost,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      topics,
      pattern,
      assignorName,
      protocols,
      epoch,
      previousEpoch,
      progress,
      held: readHeld(reader),
      revoking: readHeld(reader),
      target: readSet(reader),
    });
  });
}

function readProtocols(reader: ByteReader): MemberProtocol[] {
  const protocols: MemberProtocol[] = [];
  for (let count = reader.unsignedVarint(); count > 0; count--) {
    const name = readText(reader);
    const metadata = new Uint8Array(reader.bytes(reader.unsignedVarint()));
    protocols.push({ name, metadata });
  }
  return protocols;
}

function decode<Result>(
  groupId: string,
  bytes: Uint8Array,
  read: (reader: ByteReader) => Result,
): Result {
  const reader = new ByteReader(bytes);
  try {
    const result = read(reader);
    if (reader.remaining !== 0) throw new ProtocolError(`${reader.remaining} bytes are left over`);
    return result;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const detail = `the state of group ${JSON.stringify(groupId)}: ${error.message}`;
    throw new BrokerError('storage-damaged', detail, { cause: error });
  }
}

function checkVersion(reader: ByteReader, version: number): void {
  const found = reader.uint8();
  if (found !== version) throw new ProtocolError(`the version is ${found}, not ${version}`);
}

function writeOptional(writer: ByteWriter, text: string | undefined): void {
  writer.uint8(text === undefined ? 0 : 1);
  if (text !== undefined) writeText(writer, text);
}

function readOptional(reader: ByteReader): string | undefined {
  return reader.uint8() === 0 ? undefined : readText(reader);
}
