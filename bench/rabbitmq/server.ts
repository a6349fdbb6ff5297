import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findFreePort, pabalSubject, startProcess, type Subject } from '../server-process.ts';

/** A broker with the kind of queue that it is measured with. */
export interface QueueSubject extends Subject {
  /** Arguments of the queues, as the generator takes them. */
  readonly queueArguments: string;
}

const protocolHeader = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');

export const pabal: QueueSubject = {
  ...pabalSubject('amqp', protocolHeader),
  queueArguments: '',
};

/** Debian's package, as it starts by default but for its places and ports: no plugins, no limits of its own. */
function rabbitmq(name: string, queueArguments: string): QueueSubject {
  return { name, queueArguments, start: (directory) => startRabbitmq(name, directory, []) };
}

/** Starts Debian's package on free ports with these plugins and lines of rabbitmq.conf, and nothing of the machine's own. */
export async function startRabbitmq(
  name: string,
  directory: string,
  plugins: readonly string[],
  settings: readonly string[] = [],
): ReturnType<Subject['start']> {
  mkdirSync(directory, { recursive: true });
  const [port, distributionPort, mapperPort] = [
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
  ];
  const home = path.resolve(directory);
  const file = (name_: string, text: string): string => {
    writeFileSync(path.join(home, name_), text);
    return path.join(home, name_);
  };
  return startProcess({
    subject: name,
    command: ['/usr/lib/rabbitmq/bin/rabbitmq-server'],
    environment: {
      HOME: home,
      RABBITMQ_NODENAME: `bench${port}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_DIST_PORT: String(distributionPort),
      ERL_EPMD_PORT: String(mapperPort),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_BASE: home,
      RABBITMQ_MNESIA_BASE: path.join(home, 'data'),
      RABBITMQ_LOG_BASE: path.join(home, 'log'),
      RABBITMQ_PID_FILE: path.join(home, 'pid'),
      RABBITMQ_CONFIG_FILE: file(
        'rabbitmq.conf',
        ['vm_memory_high_watermark.relative = 0.6', ...settings, ''].join('\n'),
      ),
      RABBITMQ_CONF_ENV_FILE: file('env.conf', ''),
      RABBITMQ_ENABLED_PLUGINS_FILE: file('enabled_plugins', `[${plugins.join(',')}].\n`),
    },
    logFile: path.join(home, 'server.log'),
    findPort: () => port,
    probe: protocolHeader,
    // connection.start: the listener is there before the broker accepts.
    isAnswer: (answer) => answer[0] === 1,
  });
}

export const classic = rabbitmq('rabbitmq, classic', '');
export const quorum = rabbitmq('rabbitmq, quorum', 'x-queue-type=quorum');

/** Throws when it is not installed. */
export function findRabbitmqVersion(): string {
  try {
    return execFileSync('dpkg-query', ['-W', '-f', '${Version}', 'rabbitmq-server'], {
      encoding: 'utf8',
    });
  } catch (cause) {
    throw new Error('RabbitMQ is needed: apt-get install rabbitmq-server', { cause });
  }
}
