import path from 'node:path';
import { describeProgram } from './external-suite.ts';
import { installPython } from './python-environment.ts';

const folder = path.join(import.meta.dirname, 'amqp-python');
const python = () => installPython(folder);

describeProgram({
  name: 'pika (Python)',
  address: (server) => server.amqpUrl,
  checks: {
    confirms: 'confirms, returns what is unroutable, and keeps every property',
    overflow: 'is told that a full queue refuses',
    settle: 'acks, nacks and rejects within its prefetch; the rest comes again in order',
    routing: 'routes by topics, headers and bound exchanges, and follows a dead letter',
    transactions: 'commits and rolls back',
    cancel: 'is told when the queue of a consumer goes',
    errors: 'shows the codes and texts of errors',
    rpc: 'asks and answers by direct reply-to',
    select: 'publishes and consumes 2,000 messages on the asynchronous connection',
  },
  install: () => [python(), path.join(folder, 'pika_checks.py')],
});

describeProgram({
  name: 'kombu (Python, py-amqp)',
  address: (server) => server.amqpUrl,
  checks: {
    confirms: 'confirms, returns what is unroutable, and keeps properties of a compressed message',
    settle: 'acks, requeues and rejects within its prefetch; a rejected message is a dead letter',
    routing: 'routes by topics through an exchange that is bound to another',
    cancel: 'is told when the queue of a consumer goes',
    reconnect: 'goes on when its connections are cut, and loses nothing',
    refused: 'shows the codes of errors',
  },
  install: () => [python(), path.join(folder, 'kombu_checks.py')],
});

describeProgram({
  name: 'Celery (Python, py-amqp)',
  address: (server) => server.amqpUrl,
  checks: {
    results: 'returns the results of 100 tasks over rpc',
    retries: 'tries a task again until it succeeds',
    eta: 'runs a task not before its time',
    lost: 'runs late-acknowledged tasks of a killed worker again',
    priority: 'runs urgent tasks first',
    prefetch: 'shares tasks between workers that prefetch one each',
    control: 'pings, inspects and purges',
  },
  install: () => [python(), path.join(folder, 'celery_checks.py')],
});
