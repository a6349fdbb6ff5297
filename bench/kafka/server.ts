import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findFreePort, pabalSubject, startProcess, type Subject } from '../server-process.ts';
import { installKafka } from './distribution.ts';

export type { Server, Subject } from '../server-process.ts';
export { findFreePort } from '../server-process.ts';

/** Size, ApiVersions (18) version 0, correlation id 1, client id null. */
const apiVersionsRequest = Buffer.from('0000000a0012000000000001ffff', 'hex');

export const pabal = pabalSubject('kafka', apiVersionsRequest);

/** As bin/kafka-server-start.sh starts it. */
const javaOptions = [
  ...['-Xmx1g', '-Xms1g', '-server', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'],
  ...['-XX:InitiatingHeapOccupancyPercent=35', '-XX:+ExplicitGCInvokesConcurrent'],
  '-Djava.awt.headless=true',
];

function apacheKafka(name: string, settings: Readonly<Record<string, string>>): Subject {
  return {
    name,
    start: async (directory) => {
      const classPath = installKafka();
      mkdirSync(directory, { recursive: true });
      const port = await findFreePort();
      const controllerPort = await findFreePort();
      const properties = {
        'process.roles': 'broker,controller',
        'node.id': '1',
        'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
        'controller.listener.names': 'CONTROLLER',
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'log.dirs': path.resolve(directory, 'data'),
        'offsets.topic.replication.factor': '1',
        'transaction.state.log.replication.factor': '1',
        'transaction.state.log.min.isr': '1',
        'share.coordinator.state.topic.replication.factor': '1',
        'share.coordinator.state.topic.min.isr': '1',
        ...settings,
      };
      const file = path.join(directory, 'server.properties');
      const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`);
      writeFileSync(file, `${lines.join('\n')}\n`);
      execFileSync(
        'java',
        [
          ...['-cp', classPath, 'kafka.tools.StorageTool', 'format', '--ignore-formatted'],
          ...['-t', 'AAAAAAAAQACAAAAAAAAAAQ', '-c', file],
        ],
        { stdio: ['ignore', 'ignore', 'ignore'] },
      );
      return startProcess({
        subject: name,
        command: ['java', ...javaOptions, '-cp', classPath, 'kafka.Kafka', file],
        logFile: path.join(directory, 'server.log'),
        findPort: () => port,
        probe: apiVersionsRequest,
      });
    },
  };
}

/** Kafka's defaults: a record is acknowledged when it is in the page cache. */
export const kafka = apacheKafka('kafka', {});

/** Kafka made durable before the ack, as Pabal is. */
export const kafkaFlushing = apacheKafka('kafka, flush.messages=1', {
  'log.flush.interval.messages': '1',
});

/** Kafka that looks every second whether something is to be cleaned, not every 15. */
export const kafkaCleaningSoon = apacheKafka('kafka', { 'log.cleaner.backoff.ms': '1000' });
