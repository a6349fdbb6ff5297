import path from 'node:path';
import { describeProgram, install } from './external-suite.ts';

const folder = path.join(import.meta.dirname, 'aws-rust');
const target = path.resolve(import.meta.dirname, '../../.cache/clients/aws-rust');

describeProgram({
  name: 'AWS SDK for Rust',
  needs: ['cargo'],
  doors: ['sqs'],
  address: (server) => server.sqsUrl,
  checks: {
    messages: 'keeps bodies and attributes; the SDK verifies the digests',
    batches: 'tells of a batch what was taken and what was not',
    longpoll: 'waits for a message and is woken by it',
    fifo: 'keeps the order of a group and stores what it gets twice once',
    errors: 'shows the errors that programs match',
  },
  install: () => {
    const manifest = path.join(folder, 'Cargo.toml');
    install('cargo', ['build', '--locked', '--manifest-path', manifest, '--target-dir', target]);
    return [path.join(target, 'debug/aws-checks')];
  },
});
