import { Command } from 'commander';
import type { LogClient, PartitionOffsets } from '../../client/index.ts';
import { printJson } from '../json.ts';
import { addServerFlag, withClient } from '../server-flag.ts';
import { printTable } from '../table.ts';

/** `pabal group list|describe|delete`. */
export function groupCommand(): Command {
  return new Command('group')
    .description('list, describe and delete consumer groups')
    .addCommand(listCommand())
    .addCommand(describeCommand())
    .addCommand(deleteCommand());
}

function listCommand(): Command {
  const command = new Command('list').description('list all groups').option('--json', 'print JSON');
  return addServerFlag(command).action(async (options: Record<string, unknown>) => {
    await withClient(options, async (client) => {
      const groups = await client.listGroups();
      if (options['json'] === true) return printJson(groups);
      if (groups.length === 0) process.stderr.write('there are no groups\n');
      else {
        printTable(
          ['GROUP', 'STATE', 'TYPE'],
          groups.map(({ groupId, state, protocolType }) => [groupId, state, protocolType]),
        );
      }
    });
  });
}

function describeCommand(): Command {
  const command = new Command('describe')
    .description('show the members of a group and how far it has read')
    .argument('<group>')
    .option('--json', 'print JSON');
  return addServerFlag(command).action(
    async (groupId: string, options: Record<string, unknown>) => {
      await withClient(options, async (client) => {
        const group = await describe(client, groupId);
        const offsets = await listLags(client, groupId);
        const { members } = group;
        const lag = offsets.reduce((sum, one) => sum + one.lag, 0);
        if (options['json'] === true) {
          return printJson({ groupId, state: group.state, lag, members, offsets });
        }
        const count = members === undefined ? 'members not shown' : printMembers(members.length);
        process.stdout.write(`${groupId}: ${group.state}, ${count}, ${lag} to read\n`);
        if (members !== undefined && members.length > 0) {
          process.stdout.write('\n');
          printTable(
            ['MEMBER', 'CLIENT', 'HOST'],
            members.map(({ memberId, clientId, clientHost }) => [memberId, clientId, clientHost]),
          );
        }
        if (offsets.length > 0) {
          process.stdout.write('\n');
          printTable(
            ['TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG'],
            offsets.map((one) => [one.topic, one.partition, one.offset, one.end, one.lag]),
          );
        }
      });
    },
  );
}

function deleteCommand(): Command {
  const command = new Command('delete')
    .description('delete groups that have no members, with their offsets')
    .argument('<group...>');
  return addServerFlag(command).action(
    async (groups: readonly string[], options: Record<string, unknown>) => {
      await withClient(options, async (client) => {
        for (const groupId of groups) {
          await client.deleteGroup(groupId);
          process.stdout.write(`deleted ${groupId}\n`);
        }
      });
    },
  );
}

interface Member {
  memberId: string;
  clientId: string;
  clientHost: string;
}

interface Description {
  state: string;
  /** Undefined for groups of the newer protocols, whose members DescribeGroups does not tell. */
  members: Member[] | undefined;
}

/** Rejects for a group that is not there: DescribeGroups calls it dead, like one of another protocol than its own. */
async function describe(client: LogClient, groupId: string): Promise<Description> {
  const { groupState, members } = await client.describeGroup(groupId);
  if (groupState === 'Dead') {
    const listed = (await client.listGroups()).find((group) => group.groupId === groupId);
    if (listed === undefined) throw new Error(`group "${groupId}": there is no such group`);
    return { state: listed.state, members: undefined };
  }
  return {
    state: groupState,
    members: members.map(({ memberId, clientId, clientHost }) => ({
      memberId,
      clientId,
      clientHost,
    })),
  };
}

function printMembers(count: number): string {
  return count === 1 ? '1 member' : `${count} members`;
}

interface Lag {
  topic: string;
  partition: number;
  offset: number;
  end: number;
  lag: number;
}

async function listLags(client: LogClient, groupId: string): Promise<Lag[]> {
  const committed = await client.listCommitted(groupId);
  const ends = new Map<string, PartitionOffsets[]>();
  for (const topic of new Set(committed.map((one) => one.topic))) {
    ends.set(topic, await client.listOffsets(topic));
  }
  return committed.map(({ topic, partition, offset }) => {
    const end = ends.get(topic)?.[partition]?.end ?? offset;
    return { topic, partition, offset, end, lag: Math.max(0, end - offset) };
  });
}
