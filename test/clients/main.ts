/**
 * The real-client suites that need more than npm and Debian's packages, one command each.
 *
 *   npm run clients                       lists them
 *   npm run clients -- NAME               runs one; it fetches its clients into .cache/ first
 *   npm run clients -- all                runs every one
 *
 * With CLIENTS_BOOTSTRAP=HOST:PORT or CLIENTS_AMQP=HOST:PORT the suites run against that broker instead of ours.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const suites: Readonly<Record<string, string>> = {
  java: "Java client and Kafka's console tools (a JDK and Maven)",
  'kafka-tools': "Kafka's tools for logs and clusters, a compacted topic (a JDK and Maven)",
  'kafka-groups':
    "consumer and share groups: Java client, librdkafka, Kafka's tools (a JDK, Maven, Python)",
  'kafka-security':
    "logins over TLS and ACLs: Java client, Kafka's tools, librdkafka, franz-go (a JDK, Maven, Python, Go)",
  python: 'confluent-kafka and aiokafka (Python 3.9 or later)',
  'kafka-streams': 'a word count of Kafka Streams, exactly once (a JDK and Maven)',
  'kafka-connect': "file connectors of Kafka Connect, Kafka's verifiable clients (a JDK and Maven)",
  go: 'franz-go and sarama (Go)',
  'amqp-python': 'pika, kombu and Celery (Python 3.9 or later)',
  'amqp-php': "php-amqplib (Debian's php-cli and php-amqplib)",
  'amqp-ruby': "bunny (Debian's ruby-bunny)",
  'amqp-rust': 'lapin (Rust)',
  'amqp-go': 'amqp091-go (Go)',
  'amqp-java': "RabbitMQ's PerfTest over its Java client (a JDK and Maven)",
  'amqp-conformance': "answers of the AMQP door beside RabbitMQ's (Debian's rabbitmq-server)",
  'aws-go': 'AWS SDK for Go 2 (Go)',
  'aws-java': 'AWS SDK for Java 2 (a JDK and Maven)',
  'aws-rust': 'AWS SDK for Rust (Cargo)',
  'aws-python': 'boto3 in both protocols, the AWS CLI and Celery over SQS (Python 3.9 or later)',
  'real-data':
    'some hundred MB of text by kcat through two groups, one member killed (REAL_DATA_MB)',
};

/** Suites that stand with the tests of what they are about. */
const elsewhere: Readonly<Record<string, string>> = {
  'amqp-conformance': 'test/doors/amqp091/conformance/conformance.suite.ts',
};

const [name] = process.argv.slice(2);
const chosen = name === 'all' ? Object.keys(suites) : [name ?? ''];
if (chosen.every((each) => each in suites)) {
  const root = path.resolve(import.meta.dirname, '../..');
  const files = chosen.map((each) => elsewhere[each] ?? `test/clients/${each}.suite.ts`);
  const result = spawnSync(
    process.execPath,
    ['--enable-source-maps', path.join(root, 'scripts/test.mjs'), ...files],
    { cwd: root, stdio: 'inherit' },
  );
  process.exitCode = result.status ?? 1;
} else {
  console.log('npm run clients -- NAME\n');
  for (const [each, summary] of Object.entries(suites))
    console.log(`  ${each.padEnd(17)} ${summary}`);
  console.log('  all');
  process.exitCode = name === undefined ? 0 : 1;
}
