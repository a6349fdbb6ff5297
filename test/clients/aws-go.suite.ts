import { describeProgram } from './external-suite.ts';
import { buildGo } from './go-build.ts';

describeProgram({
  name: 'AWS SDK for Go 2',
  doors: ['sqs'],
  address: (server) => server.sqsUrl,
  checks: {
    messages: 'keeps bodies and attributes of every type; the SDK verifies the digests',
    batches: 'tells of a batch what was taken and what was not',
    queues: 'creates, lists by pages, configures, tags, permits, purges and deletes queues',
    longpoll: 'waits for a message and is woken by it',
    fifo: 'keeps the order of a group and stores what it gets twice once',
    deadletters: 'follows a dead letter, and moves it back',
    errors: 'shows the errors that programs catch',
    topics: 'publishes to queues, filtered, and in batches',
  },
  install: () => buildGo('aws'),
});
