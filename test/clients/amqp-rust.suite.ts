import path from 'node:path';
import { describeProgram, install } from './external-suite.ts';

const folder = path.join(import.meta.dirname, 'amqp-rust');
const target = path.resolve(import.meta.dirname, '../../.cache/clients/rust');

describeProgram({
  name: 'lapin (Rust)',
  address: (server) => server.amqpUrl,
  checks: {
    confirms:
      'confirms, returns what is unroutable, keeps properties, and is told what a full queue refuses',
    settle: 'acks, nacks and rejects within its prefetch; a rejected message is a dead letter',
    routing: 'routes by topics through bound exchanges, in transactions',
    errors: 'is told when the queue of a consumer goes, and shows the codes of errors',
    reconnect: 'gets again what a closed connection held',
  },
  install: () => {
    const manifest = path.join(folder, 'Cargo.toml');
    install('cargo', ['build', '--locked', '--manifest-path', manifest, '--target-dir', target]);
    return [path.join(target, 'debug/lapin-checks')];
  },
});
