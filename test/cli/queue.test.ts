import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CliProcess, runCli, TemporaryDirectory, waitForReady } from './process.ts';

const directory = new TemporaryDirectory();
const readyFile = directory.join('ready.json');
let server: CliProcess;
let admin: string[];
let base: string;

before(async () => {
  const words = ['--only', 'admin', '--listen', 'admin=127.0.0.1:0', '--ready-file', readyFile];
  server = new CliProcess(['serve', '--data', directory.join('data'), ...words]);
  const addresses = await waitForReady(server, readyFile);
  const at = `127.0.0.1:${addresses['admin']?.port}`;
  admin = ['--admin', at];
  base = `http://${at}/api/v1/queues`;
});
after(async () => {
  server.kill('SIGKILL');
  await server.ended;
  directory.remove();
});

async function post(path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(base + path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  return JSON.parse(await response.text());
}

test('a queue is made, looked into, emptied, replayed and deleted', async () => {
  const words = ['--max-failures', '3', '--keep-settled', '1h', '--dead-letter', 'dead'];
  const created = await runCli(['queue', 'create', 'mails', ...words, ...admin]);
  assert.equal(created.stderr, '');
  assert.equal(created.stdout, 'created mails\n');
  await post('/mails/messages', { messages: [{ value: 'one' }, { value: 'two' }] });
  // Independent of each other: they run side by side.
  const [again, list, described, table, peeked, refused] = await Promise.all(
    [
      ['create', 'mails'],
      ['list'],
      ['describe', 'mails', '--json'],
      ['describe', 'mails'],
      ['peek', 'mails'],
      ['delete', 'mails', '--if-empty'],
    ].map((command) => runCli(['queue', ...command, ...admin])),
  );
  assert.equal(again?.stdout, 'mails exists already; it stays as it is\n');
  assert.match(list?.stdout ?? '', /mails +2 +0 +0 +0/);
  const { settings }: { settings: Record<string, unknown> } = JSON.parse(described?.stdout ?? '');
  assert.equal(settings['failuresMax'], 3);
  assert.equal(settings['keepSettledMs'], 3_600_000);
  assert.deepEqual(settings['deadLetter'], { exchange: '', key: 'dead' });
  assert.match(table?.stdout ?? '', /ready +2\n/);
  assert.equal(peeked?.stdout, 'one\ntwo\n');
  assert.equal(refused?.code, 1);
  assert.match(refused?.stderr ?? '', /^pabal: The queue is not empty: mails\n$/);
  const purged = await runCli(['queue', 'purge', 'mails', ...admin]);
  assert.equal(purged.stdout, 'purged 2 messages from mails\n');
  const rewound = await runCli(['queue', 'rewind', 'mails', '--to', '10m', ...admin]);
  assert.equal(rewound.stdout, 'rewound mails: 2 messages ready\n');
  await post('/mails/purge', {});
  const one = await runCli(['queue', 'rewind', 'mails', '--to-offset', '1', ...admin]);
  assert.equal(one.stdout, 'rewound mails: 1 message ready\n');
  const deleted = await runCli(['queue', 'delete', 'mails', ...admin]);
  assert.equal(deleted.stdout, 'deleted mails with 1 message\n');
});

test('/metrics counts what queues hold', async () => {
  await post('', { name: 'counted', namespace: 'n' });
  await post('/counted/messages?namespace=n', { messages: [{ value: 'm' }] });
  const page = await (await fetch(base.replace('/api/v1/queues', '/metrics'))).text();
  const labels = '{namespace="n",queue="counted",subscription=""}';
  assert.ok(page.includes(`pabal_queue_ready${labels} 1\n`), page);
  assert.ok(page.includes(`pabal_queue_published_total${labels} 1\n`));
});

test('a server that is not there, and a place to go back to that is missing, are one line each', async () => {
  const [nobody, nowhere] = await Promise.all([
    runCli(['queue', 'list', '--admin', '127.0.0.1:1']),
    runCli(['queue', 'rewind', 'q', ...admin]),
  ]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /^pabal: nothing answers at http:\/\/127\.0\.0\.1:1: [^\n]+\n$/);
  assert.match(nowhere.stderr, /^pabal: say where to: [^\n]+\n$/);
});
