import { BrokerError } from '../../../base/index.ts';
import type { BrokerPort } from '../../../broker/index.ts';
import type { AdminHandler } from '../context.ts';

export const listGroups: AdminHandler = ({ broker }) => {
  const groups = broker
    .listGroupCoordinators()
    .flatMap((coordinator) => coordinator.list())
    .toSorted((a, b) => (a.groupId < b.groupId ? -1 : 1));
  return { status: 200, content: { json: { groups } } };
};

export const describeGroup: AdminHandler = async ({ broker }, request) => {
  const groupId = request.params['id'] ?? '';
  const coordinator = broker.groupsFor(groupId);
  const description = coordinator.describe(groupId);
  const offsets = await listOffsets(broker, groupId);
  // What a coordinator does not know it describes as dead; committed offsets alone make a group, too.
  if (description.state === 'dead' && offsets.length === 0) {
    throw new BrokerError('group-not-found', groupId);
  }
  return {
    status: 200,
    content: {
      json: {
        groupId,
        state: description.state,
        protocolType: description.protocolType,
        protocolName: description.protocolName,
        members: description.members.map(({ memberId, instanceId, clientId, clientHost }) => ({
          memberId,
          instanceId: instanceId ?? null,
          clientId,
          clientHost,
        })),
        lag: offsets.reduce((sum, { lag }) => sum + (lag ?? 0), 0),
        offsets,
      },
    },
  };
};

export const deleteGroup: AdminHandler = async ({ broker }, request) => {
  const groupId = request.params['id'] ?? '';
  await broker.groupsFor(groupId).delete(groupId);
  return { status: 204 };
};

interface GroupOffset {
  topic: string;
  partition: number;
  offset: number;
  highWatermark: number | null;
  /** Records that the group has not read yet; null for a partition that is gone. */
  lag: number | null;
  metadata: string;
  commitTimeMs: number;
}

async function listOffsets(broker: BrokerPort, groupId: string): Promise<GroupOffset[]> {
  const stored = await broker.groupsFor(groupId).fetchOffsets(groupId);
  const offsets: GroupOffset[] = [];
  for (const { topicId, partition, offset, metadata, commitTimeMs } of stored) {
    const topic = broker.topics.findById(topicId);
    if (topic === undefined) continue;
    const log = topic.partitions[partition];
    offsets.push({
      topic: topic.name,
      partition,
      offset,
      highWatermark: log?.highWatermark ?? null,
      lag: log === undefined ? null : Math.max(0, log.highWatermark - offset),
      metadata,
      commitTimeMs,
    });
  }
  return offsets.toSorted((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  );
}
