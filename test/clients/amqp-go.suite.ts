import { describeProgram } from './external-suite.ts';
import { buildGo } from './go-build.ts';

describeProgram({
  name: 'amqp091-go',
  address: (server) => server.amqpUrl,
  checks: {
    properties: 'keeps every property and every type of header',
    confirms: 'gets confirms in order, refusals of a full queue, and what is unroutable',
    settle: 'holds to its prefetch, and leaves the rest in order',
    routing: 'routes by topics, bound exchanges and headers, and follows a dead letter',
    transactions: 'commits and rolls back',
    errors: 'shows the codes of errors',
    cancel: 'is told when the queue of a consumer goes',
  },
  install: () => buildGo('amqp091'),
});
