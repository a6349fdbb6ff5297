import path from 'node:path';
import { describeProgram, install } from './external-suite.ts';

describeProgram({
  name: 'php-amqplib (PHP)',
  address: (server) => server.amqpUrl,
  checks: {
    confirms:
      'confirms, returns what is unroutable, keeps properties, and is told what a full queue refuses',
    settle:
      'acks, nacks and rejects within its prefetch; a new connection gets what the old one held',
    routing: 'routes by topics through bound exchanges, in transactions',
    errors: 'shows the codes of errors',
  },
  install: () => {
    install('php', ['-r', 'require "PhpAmqpLib/autoload.php";']);
    return ['php', path.join(import.meta.dirname, 'amqp-php/amqplib_checks.php')];
  },
});
