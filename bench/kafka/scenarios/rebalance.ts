import type { BenchOptions } from '../../main.ts';
import { type Scenario, withServer } from '../../scenario.ts';
import { createTopic, rebalanceGroup } from '../generator.ts';
import { kafka, pabal, type Subject } from '../server.ts';

async function run(
  subject: Subject,
  directory: string,
  round: number,
  options: BenchOptions,
): Promise<void> {
  const members = options.isQuick ? 10 : 50;
  const partitions = members * 2;
  for (const protocol of ['classic', 'consumer'] as const) {
    const topic = `rebalance-${protocol}`;
    await withServer(subject, directory, async (server) => {
      await createTopic(server, topic, partitions);
      const { startMs, leaveMs, comeMs } = await rebalanceGroup(server, topic, {
        protocol,
        members,
        partitions,
      });
      options.report.add({
        scenario: `${members} members, ${partitions} partitions, group.protocol=${protocol}`,
        subject: subject.name,
        round,
        metrics: { 'start s': startMs / 1000, 'leave s': leaveMs / 1000, 'come s': comeMs / 1000 },
      });
    });
  }
}

export const rebalance: Scenario = {
  name: 'rebalance',
  rounds: 3,
  subjects: [pabal, kafka],
  run,
};
