import { Command } from 'commander';
import type { GroupDescription, LogClient, PartitionOffsets } from '../../client/index.ts';
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
          ['GROUP', 'STATE', 'TYPE', 'MEMBERS ARE'],
          groups.map((group) => [group.groupId, group.state, group.type, group.protocolType]),
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
        const { type, state, members } = await client.describeGroup(groupId);
        const offsets = await listLags(client, groupId, type);
        const lag = offsets.reduce((sum, one) => sum + one.lag, 0);
        if (options['json'] === true) {
          return printJson({ groupId, type, state, lag, members, offsets });
        }
        const count = members.length === 1 ? '1 member' : `${members.length} members`;
        process.stdout.write(`${groupId}: ${type}, ${state}, ${count}, ${lag} to read\n`);
        if (members.length > 0) {
          process.stdout.write('\n');
          printTable(['MEMBER', 'CLIENT', 'HOST', 'READS'], members.map(toRow));
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

/** What it reads as `orders:0,2 payments:1`, or `-` for a member that reads nothing yet. */
function toRow(member: GroupDescription['members'][number]): string[] {
  const { memberId, clientId, clientHost, assigned } = member;
  const all = assigned.map(({ name, partitions }) => {
    const inOrder = partitions.toSorted((a, b) => a - b);
    return `${name}:${inOrder.join(',')}`;
  });
  return [memberId, clientId, clientHost, all.length === 0 ? '-' : all.join(' ')];
}

interface Lag {
  topic: string;
  partition: number;
  offset: number;
  end: number;
  lag: number;
}

/** Where a group is in each partition, and what is left for it. */
async function listLags(
  client: LogClient,
  groupId: string,
  type: GroupDescription['type'],
): Promise<Lag[]> {
  const ends = new Map<string, PartitionOffsets[]>();
  const endOf = async (topic: string, partition: number): Promise<number | undefined> => {
    if (!ends.has(topic)) ends.set(topic, await client.listOffsets(topic));
    return ends.get(topic)?.find((each) => each.partition === partition)?.end;
  };
  const lags: Lag[] = [];
  if (type === 'share') {
    // Behind the start of its window some are accepted and others not: only the broker can count them.
    for (const { topic, partition, offset, lag } of await client.listShareStarts(groupId)) {
      const end = (await endOf(topic, partition)) ?? offset;
      lags.push({ topic, partition, offset, end, lag: lag < 0 ? end - offset : lag });
    }
  } else {
    for (const { topic, partition, offset } of await client.listCommitted(groupId)) {
      const end = (await endOf(topic, partition)) ?? offset;
      lags.push({ topic, partition, offset, end, lag: Math.max(0, end - offset) });
    }
  }
  return lags;
}
