/**
 * How the state of a group is stored. Big endian; `text` and `bytes` are an unsigned varint of the length in bytes
 * and then the UTF-8 text or the bytes.
 *
 *   version             uint8    1
 *   generation          int32
 *   emptySinceMs        int64    ms since the epoch, 0 while there are members
 *   protocolType        text     empty until the first member
 *   protocolName        text     empty while there are no members
 *   leaderId            text     likewise
 *   memberCount         varint   unsigned, and for each member:
 *     memberId          text
 *     hasInstanceId     uint8    0 or 1
 *     instanceId        text     only after a 1
 *     clientId          text
 *     clientHost        text
 *     sessionTimeoutMs  int32
 *     rebalanceTimeoutMs int32
 *     protocolCount     varint   unsigned, and for each protocol: name text, metadata bytes
 *     assignment        bytes
 *
 * To change it: write the next version number, keep the reader of every older one, and describe the difference here.
 * An unknown version is refused as damaged: a newer broker has written it, and guessing would lose members.
 */
import { BrokerError, ProtocolError } from '../../base/index.ts';
import { ByteReader, ByteWriter } from '../../bytes/index.ts';
import type { GroupRecord } from './group.ts';
import { type MemberProtocol, type MemberRecord, noBytes } from './member.ts';

const version = 1;

/** A group to be stored; `assignments`, when given, counts in place of what the members have. */
export interface GroupToStore extends GroupRecord {
  readonly assignments: ReadonlyMap<string, Uint8Array> | undefined;
}

export function encodeGroupRecord(group: GroupToStore): Uint8Array {
  const writer = new ByteWriter(1024);
  writer.uint8(version);
  writer.int32(group.generation);
  writer.safeInt64(group.emptySinceMs);
  writeText(writer, group.protocolType);
  writeText(writer, group.protocolName);
  writeText(writer, group.leaderId);
  writer.unsignedVarint(group.members.length);
  for (const member of group.members) {
    const assigned = group.assignments?.get(member.memberId) ?? noBytes;
    writeMember(writer, member, group.assignments === undefined ? member.assignment : assigned);
  }
  return writer.take();
}

/** Throws `storage-damaged` for what `encodeGroupRecord` has not written. Nothing of `bytes` is kept. */
export function decodeGroupRecord(groupId: string, bytes: Uint8Array): GroupRecord {
  const reader = new ByteReader(bytes);
  try {
    const found = reader.uint8();
    if (found !== version) throw new ProtocolError(`the version is ${found}, not ${version}`);
    const record = readGroup(reader);
    if (reader.remaining !== 0) throw new ProtocolError(`${reader.remaining} bytes are left over`);
    if (record.members.length > 0 && !hasLeader(record)) {
      throw new ProtocolError('the leader is not a member');
    }
    return record;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const detail = `the state of group ${JSON.stringify(groupId)}: ${error.message}`;
    throw new BrokerError('storage-damaged', detail, { cause: error });
  }
}

function readGroup(reader: ByteReader): GroupRecord {
  const generation = reader.int32();
  const emptySinceMs = reader.safeInt64();
  const protocolType = readText(reader);
  const protocolName = readText(reader);
  const leaderId = readText(reader);
  const members: MemberRecord[] = [];
  for (let count = reader.unsignedVarint(); count > 0; count--) members.push(readMember(reader));
  return { generation, emptySinceMs, protocolType, protocolName, leaderId, members };
}

function hasLeader(record: GroupRecord): boolean {
  return record.members.some(({ memberId }) => memberId === record.leaderId);
}

function writeMember(writer: ByteWriter, member: MemberRecord, assignment: Uint8Array): void {
  writeText(writer, member.memberId);
  writer.uint8(member.instanceId === undefined ? 0 : 1);
  if (member.instanceId !== undefined) writeText(writer, member.instanceId);
  writeText(writer, member.clientId);
  writeText(writer, member.clientHost);
  writer.int32(member.sessionTimeoutMs);
  writer.int32(member.rebalanceTimeoutMs);
  writer.unsignedVarint(member.protocols.length);
  for (const { name, metadata } of member.protocols) {
    writeText(writer, name);
    writeBytes(writer, metadata);
  }
  writeBytes(writer, assignment);
}

function readMember(reader: ByteReader): MemberRecord {
  const memberId = readText(reader);
  const instanceId = reader.uint8() === 0 ? undefined : readText(reader);
  const clientId = readText(reader);
  const clientHost = readText(reader);
  const sessionTimeoutMs = reader.int32();
  const rebalanceTimeoutMs = reader.int32();
  const protocols: MemberProtocol[] = [];
  for (let count = reader.unsignedVarint(); count > 0; count--) {
    protocols.push({ name: readText(reader), metadata: readBytes(reader) });
  }
  const assignment = readBytes(reader);
  return {
    memberId,
    instanceId,
    clientId,
    clientHost,
    protocols,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    assignment,
  };
}

function writeText(writer: ByteWriter, text: string): void {
  writer.unsignedVarint(Buffer.byteLength(text));
  writer.utf8(text);
}

function readText(reader: ByteReader): string {
  return reader.utf8(reader.unsignedVarint());
}

function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.unsignedVarint(bytes.length);
  writer.bytes(bytes);
}

function readBytes(reader: ByteReader): Uint8Array {
  return new Uint8Array(reader.bytes(reader.unsignedVarint()));
}
