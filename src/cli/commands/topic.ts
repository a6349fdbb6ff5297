import { Command } from 'commander';
import { integer } from '../../server/index.ts';
import { collectPairs, parserOf } from '../flag-value.ts';
import { printJson } from '../json.ts';
import { addServerFlag, withClient } from '../server-flag.ts';
import { printTable } from '../table.ts';

/** `pabal topic create|list|describe|delete`. */
export function topicCommand(): Command {
  return new Command('topic')
    .description('create, list, describe and delete topics')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(describeCommand())
    .addCommand(deleteCommand());
}

/** What the protocol says where the server shall choose. */
const serverDefault = -1;

interface CreateOptions {
  [flag: string]: unknown;
  partitions?: number;
  config?: Array<readonly [string, string]>;
}

function createCommand(): Command {
  const command = new Command('create')
    .description('create a topic')
    .argument('<topic>')
    .option(
      '-p, --partitions <number>',
      'number of partitions; default: that of the server',
      parserOf(integer(1, 1_000_000)),
    )
    .option('-c, --config <name=value>', 'a setting, such as retention.ms=3600000', collectPairs);
  return addServerFlag(command).action(async (topic: string, options: CreateOptions) => {
    await withClient(options, async (client) => {
      const settings = Object.fromEntries(options.config ?? []);
      await client.createTopic(topic, options.partitions ?? serverDefault, settings);
      const { partitionCount } = await client.describeTopic(topic);
      process.stdout.write(`created ${topic} with ${printPartitions(partitionCount)}\n`);
    });
  });
}

function listCommand(): Command {
  const command = new Command('list').description('list all topics').option('--json', 'print JSON');
  return addServerFlag(command).action(async (options: Record<string, unknown>) => {
    await withClient(options, async (client) => {
      const topics = await client.listTopics();
      if (options['json'] === true) return printJson(topics);
      if (topics.length === 0) process.stderr.write('there are no topics\n');
      else {
        printTable(
          ['TOPIC', 'PARTITIONS'],
          topics.map(({ name, partitionCount }) => [name, partitionCount]),
        );
      }
    });
  });
}

function describeCommand(): Command {
  const command = new Command('describe')
    .description("show a topic's partitions and settings")
    .argument('<topic>')
    .option('--json', 'print JSON');
  return addServerFlag(command).action(async (topic: string, options: Record<string, unknown>) => {
    await withClient(options, async (client) => {
      const partitions = await client.listOffsets(topic);
      const settings = await client.describeSettings(topic);
      if (options['json'] === true) return printJson({ topic, partitions, settings });
      printTable(
        ['PARTITION', 'FIRST', 'NEXT', 'MESSAGES'],
        partitions.map(({ partition, start, end }) => [partition, start, end, end - start]),
      );
      process.stdout.write('\n');
      printTable(
        ['SETTING', 'VALUE', ''],
        settings.map(({ name, value, isDefault }) => [name, value, isDefault ? 'default' : 'set']),
      );
    });
  });
}

function deleteCommand(): Command {
  const command = new Command('delete')
    .description('delete topics and all their messages')
    .argument('<topic...>');
  return addServerFlag(command).action(
    async (topics: readonly string[], options: Record<string, unknown>) => {
      await withClient(options, async (client) => {
        for (const topic of topics) {
          await client.deleteTopic(topic);
          process.stdout.write(`deleted ${topic}\n`);
        }
      });
    },
  );
}

function printPartitions(count: number): string {
  return count === 1 ? '1 partition' : `${count} partitions`;
}
