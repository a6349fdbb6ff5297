import path from 'node:path';
import { describeProgram, install } from './external-suite.ts';

describeProgram({
  name: 'bunny (Ruby)',
  address: (server) => server.amqpUrl,
  checks: {
    confirms: 'confirms, returns what is unroutable, and keeps every property and type of header',
    overflow: 'is told that a full queue refuses',
    settle: 'acks, nacks and rejects within its prefetch; a cancelled consumer gets no more',
    routing: 'routes by topics and headers through an exchange that is bound to another',
    transactions: 'commits and rolls back',
    cancel: 'is told when the queue of a consumer goes',
    errors: 'shows the codes of errors',
    reconnect: 'recovers queues, bindings and consumers when its connection is cut',
  },
  install: () => {
    install('ruby', ['-e', 'require "bunny"']);
    return ['ruby', path.join(import.meta.dirname, 'amqp-ruby/bunny_checks.rb')];
  },
});
