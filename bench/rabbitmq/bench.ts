import type { BenchOptions } from '../main.ts';
import { runScenarios } from '../scenario.ts';
import { installGenerator } from './generator.ts';
import { scenarios } from './scenarios.ts';
import { findRabbitmqVersion } from './server.ts';

export async function benchRabbitmq(options: BenchOptions): Promise<void> {
  installGenerator();
  options.report.note(`RabbitMQ ${findRabbitmqVersion()}`);
  await runScenarios(scenarios, options);
}
