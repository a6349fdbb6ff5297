import type { BenchOptions } from '../main.ts';
import { runScenarios, type Scenario } from '../scenario.ts';
import { findKafkaVersion, installGenerators } from './distribution.ts';
import { backlog } from './scenarios/backlog.ts';
import { compaction } from './scenarios/compaction.ts';
import { latency } from './scenarios/latency.ts';
import { partitions } from './scenarios/partitions.ts';
import { small } from './scenarios/small.ts';
import { polling } from './scenarios/polling.ts';
import { rebalance } from './scenarios/rebalance.ts';
import { recover, start } from './scenarios/start.ts';
import { stream } from './scenarios/stream.ts';
import { transactions } from './scenarios/transactions.ts';

const scenarios: readonly Scenario[] = [
  stream,
  small,
  latency,
  start,
  recover,
  partitions,
  backlog,
  compaction,
  rebalance,
  polling,
  transactions,
];

export async function benchKafka(options: BenchOptions): Promise<void> {
  installGenerators();
  options.report.note(`Apache Kafka ${findKafkaVersion()}`);
  await runScenarios(scenarios, options);
}
