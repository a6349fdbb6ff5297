import assert from 'node:assert/strict';
import test from 'node:test';
import { errorCodes } from '../../../../src/doors/kafka/error-codes.ts';
import type { WireClient } from '../wire-client.ts';
import { openGroupDoor } from './group-door.ts';

const protocols = [{ name: 'range', metadata: Buffer.from('about me') }];
const readDeleteDescribe = (1 << 3) | (1 << 6) | (1 << 8);

/** Makes the stable group `g` of one static member. */
async function formGroup(client: WireClient): Promise<string> {
  const { memberId } = await client.ask('JoinGroup', 5, {
    groupId: 'g',
    sessionTimeoutMs: 300_000,
    rebalanceTimeoutMs: 300_000,
    memberId: '',
    groupInstanceId: 'one',
    protocolType: 'consumer',
    protocols,
  });
  const assignments = [{ memberId, assignment: Buffer.from('mine') }];
  await client.ask('SyncGroup', 3, { groupId: 'g', generationId: 1, memberId, assignments });
  return memberId;
}

async function commitOutside(client: WireClient, groupId: string): Promise<void> {
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }];
  const topics = [{ name: 'orders', partitions }];
  await client.ask('OffsetCommit', 2, { groupId, memberId: '', topics });
}

for (let version = 0; version <= 6; version++) {
  test(`FindCoordinator ${version} answers this broker`, async (t) => {
    const { connect, broker, door } = await openGroupDoor(t);
    const client = await connect();
    const here = { nodeId: broker.brokerId, host: '127.0.0.1', port: door.port };
    const places = async (keyType: number) => {
      const kind = version >= 1 ? { keyType } : {};
      if (version < 4) {
        return [await client.ask('FindCoordinator', version, { key: 'a', ...kind })];
      }
      const request = { coordinatorKeys: ['a', 'b'], ...kind };
      const { coordinators } = await client.ask('FindCoordinator', version, request);
      assert.deepEqual(
        coordinators.map(({ key }) => key),
        ['a', 'b'],
      );
      return coordinators;
    };
    for (const keyType of version >= 1 ? [0, 1] : [0]) {
      for (const { errorCode, nodeId, host, port } of await places(keyType)) {
        assert.deepEqual({ errorCode, nodeId, host, port }, { errorCode: 0, ...here });
      }
    }
    if (version >= 1) {
      const [strange] = await places(9);
      assert.equal(strange?.errorCode, errorCodes.INVALID_REQUEST);
      assert.equal(strange?.nodeId, -1);
    }
  });
}

for (let version = 0; version <= 6; version++) {
  test(`DescribeGroups ${version}`, async (t) => {
    const { connect } = await openGroupDoor(t);
    const client = await connect();
    const memberId = await formGroup(client);
    const { groups } = await client.ask('DescribeGroups', version, {
      groups: ['g', 'nobody'],
      ...(version >= 3 && { includeAuthorizedOperations: true }),
    });
    const [group, missing] = groups;
    assert.equal(group?.errorCode, errorCodes.NONE);
    assert.equal(group.groupState, 'Stable');
    assert.equal(group.protocolType, 'consumer');
    assert.equal(group.protocolData, 'range');
    assert.equal(group.authorizedOperations, version >= 3 ? readDeleteDescribe : -2_147_483_648);
    const [member] = group.members;
    assert.equal(member?.memberId, memberId);
    assert.equal(member.groupInstanceId, version >= 4 ? 'one' : null);
    assert.equal(member.clientId, 'wire-client');
    assert.equal(member.clientHost, '/127.0.0.1');
    assert.equal(Buffer.from(member.memberMetadata).toString(), 'about me');
    assert.equal(Buffer.from(member.memberAssignment).toString(), 'mine');
    assert.equal(missing?.groupState, 'Dead');
    assert.equal(missing.errorCode, version >= 6 ? errorCodes.GROUP_ID_NOT_FOUND : 0);
    assert.equal(missing.errorMessage, version >= 6 ? 'Group nobody not found.' : null);
  });
}

for (let version = 0; version <= 5; version++) {
  test(`ListGroups ${version}`, async (t) => {
    const { connect } = await openGroupDoor(t);
    const client = await connect();
    await formGroup(client);
    await commitOutside(client, 'outside');
    const list = async (filters: { statesFilter?: string[]; typesFilter?: string[] } = {}) => {
      const { groups, errorCode } = await client.ask('ListGroups', version, filters);
      assert.equal(errorCode, errorCodes.NONE);
      return groups;
    };
    assert.deepEqual(await list(), [
      {
        groupId: 'g',
        protocolType: 'consumer',
        groupState: version >= 4 ? 'Stable' : '',
        groupType: version >= 5 ? 'classic' : '',
      },
      {
        groupId: 'outside',
        protocolType: '',
        groupState: version >= 4 ? 'Empty' : '',
        groupType: version >= 5 ? 'classic' : '',
      },
    ]);
    if (version >= 4) {
      const empty = await list({ statesFilter: ['EMPTY', 'dead'] });
      assert.deepEqual(
        empty.map(({ groupId }) => groupId),
        ['outside'],
      );
    }
    if (version >= 5) {
      assert.equal((await list({ typesFilter: ['Classic'] })).length, 2);
      assert.equal((await list({ typesFilter: ['consumer'] })).length, 0);
    }
  });
}

for (let version = 0; version <= 2; version++) {
  test(`DeleteGroups ${version}`, async (t) => {
    const { connect, broker } = await openGroupDoor(t);
    const client = await connect();
    await formGroup(client);
    await commitOutside(client, 'outside');
    const { results } = await client.ask('DeleteGroups', version, {
      groupsNames: ['g', 'outside', 'nobody'],
    });
    assert.deepEqual(results, [
      { groupId: 'g', errorCode: errorCodes.NON_EMPTY_GROUP },
      { groupId: 'outside', errorCode: errorCodes.NONE },
      { groupId: 'nobody', errorCode: errorCodes.GROUP_ID_NOT_FOUND },
    ]);
    assert.deepEqual(
      broker.coordinator.list().map(({ groupId }) => groupId),
      ['g'],
    );
    assert.deepEqual(await broker.coordinator.fetchOffsets('outside'), []);
  });
}
