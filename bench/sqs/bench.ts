import type { BenchOptions } from '../main.ts';
import { runScenarios } from '../scenario.ts';
import { installGenerator } from './generator.ts';
import { findElasticmqVersion, findMotoVersion, installPeers } from './peers.ts';
import { scenarios } from './scenarios.ts';

export async function benchSqs(options: BenchOptions): Promise<void> {
  installGenerator();
  installPeers();
  options.report.note(`ElasticMQ ${findElasticmqVersion()}, moto ${findMotoVersion()}`);
  await runScenarios(scenarios, options);
}
