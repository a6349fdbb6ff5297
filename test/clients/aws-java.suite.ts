import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { describeProgram, install } from './external-suite.ts';

const home = path.resolve(import.meta.dirname, '../../.cache/clients/aws-java');
const libraries = path.join(home, 'lib');
const classes = path.join(home, 'classes');

describeProgram({
  name: 'AWS SDK for Java 2',
  needs: ['mvn', 'javac'],
  doors: ['sqs'],
  address: (server) => server.sqsUrl,
  checks: {
    messages: 'keeps bodies and attributes of every type; the SDK verifies the digests',
    batches: 'tells of a batch what was taken and what was not',
    queues: 'creates, lists by pages, configures, tags, permits, purges and deletes queues',
    longpoll: 'waits for a message and is woken by it',
    batchmanager: 'sends, receives and deletes in batches that the SDK makes of single requests',
    concurrency: 'answers many requests of the asynchronous client at once',
    receipts: 'lets one who finished late delete, but not in a FIFO queue',
    fifo: 'keeps the order of a group and stores what it gets twice once',
    deadletters: 'follows a dead letter, and moves it back',
    errors: 'shows the errors that programs catch',
    topics: 'publishes to queues, filtered, and in batches',
  },
  install: () => {
    if (!existsSync(libraries)) {
      install('mvn', [
        ...['-q', '-B', '-f', path.join(import.meta.dirname, 'aws-java-pom.xml')],
        ...['dependency:copy-dependencies', `-DoutputDirectory=${libraries}`],
      ]);
    }
    mkdirSync(classes, { recursive: true });
    const source = path.join(import.meta.dirname, 'java/AwsClient.java');
    install('javac', ['-nowarn', '-cp', `${libraries}/*`, '-d', classes, source]);
    return ['java', '-Xmx256m', '-cp', `${classes}:${libraries}/*`, 'AwsClient'];
  },
});
