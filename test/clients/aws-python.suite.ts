import path from 'node:path';
import { describeProgram } from './external-suite.ts';
import { installPython } from './python-environment.ts';
import type { ServerProcess } from './server-process.ts';

const folder = path.join(import.meta.dirname, 'aws-python');
const old = path.join(import.meta.dirname, 'aws-python-query');
const doors = ['sqs'];
const address = (server: ServerProcess): string => server.sqsUrl;
const key = 'AKCHECK';
const secret = 'a/secret+with=signs';

const checks = {
  messages: 'keeps bodies and attributes of every type, whose digests are right',
  batches: 'tells of a batch what was taken and what was not',
  queues: 'creates, lists by pages, configures, tags, permits, purges and deletes queues',
  longpoll: 'waits for a message and is woken by it',
  delays: 'delivers what is delayed not before its time',
  fifo: 'keeps the order of each group and stores what it gets twice once',
  deadletters: 'follows a dead letter, and moves it back',
  errors: 'shows the errors that programs catch',
  topics: 'publishes to queues, filtered, raw and wrapped',
  fifotopics: 'keeps the order of a FIFO topic',
};

describeProgram({
  name: 'boto3, protocol JSON',
  doors,
  address,
  checks,
  install: () => [installPython(folder), path.join(folder, 'boto3_checks.py')],
});

// The last releases of 2022 spoke the Query protocol; they cannot move messages between queues.
const { deadletters: _deadLetters, ...queryChecks } = checks;
describeProgram({
  name: 'boto3, protocol Query',
  doors,
  address,
  checks: queryChecks,
  install: () => [installPython(old), path.join(folder, 'boto3_checks.py')],
});

describeProgram({
  name: 'boto3 with access keys',
  doors,
  words: ['--sqs-access-keys', `${key}:${secret}`],
  environment: { KEY: key, SECRET: secret },
  address,
  checks: { signatures: 'must sign with a key that is known, in headers and in URLs' },
  install: () => [installPython(folder), path.join(folder, 'boto3_checks.py')],
});

describeProgram({
  name: 'AWS CLI',
  doors,
  address,
  checks: {
    queues: 'does what a user does with queues',
    redrive: 'reads attributes from a file, and moves dead letters back',
    topics: 'subscribes a queue to a topic and publishes',
  },
  install: () => [installPython(folder), path.join(folder, 'cli_checks.py')],
});

describeProgram({
  name: "Celery's SQS transport",
  doors,
  address,
  checks: {
    tasks: 'runs 100 tasks once each',
    retries: 'tries a task again until it succeeds',
    lost: 'runs tasks of a killed worker again',
  },
  install: () => [installPython(folder), path.join(folder, 'celery_checks.py')],
});
