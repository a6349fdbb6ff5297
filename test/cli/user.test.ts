import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { CliProcess, runCli, TemporaryDirectory, waitForReady } from './process.ts';

const directory = new TemporaryDirectory();
let server: CliProcess;
let admin: string[];

before(async () => {
  const readyFile = directory.join('ready.json');
  const doors = ['--only', 'admin', '--listen', 'admin=127.0.0.1:0'];
  server = new CliProcess(['serve', '--store', 'memory', '--ready-file', readyFile, ...doors]);
  const addresses = await waitForReady(server, readyFile);
  admin = ['--admin', `127.0.0.1:${addresses['admin']?.port}`];
});
after(async () => {
  server.kill('SIGKILL');
  await server.ended;
  directory.remove();
});

const user = (...words: string[]): ReturnType<typeof runCli> =>
  runCli(['user', ...words, ...admin]);

test('users are added, permitted, listed and deleted', async () => {
  const file = directory.join('password');
  writeFileSync(file, 'secret word\n');
  const added = await user('add', 'ann', '--tag', 'monitoring', '--password-file', file);
  assert.equal(added.code, 0, added.stderr);
  const piped = await runCli(['user', 'password', 'ann', ...admin], 'another\n');
  assert.equal(piped.code, 0, piped.stderr);
  assert.equal((await user('permit', 'ann', '--read', '^orders')).code, 0);
  const listed = await user('list');
  assert.match(listed.stdout, /^ann +monitoring +\/ +\^orders$/m);
  assert.match(listed.stdout, /^guest +administrator +\/ +\.\* +\.\* +\.\*$/m);
  const gone = await user('delete', 'ann', 'ann');
  assert.equal(gone.code, 1);
  assert.equal(gone.stdout, 'deleted ann\n');
  assert.match(gone.stderr, /^pabal: The user does not exist: ann\n$/);
});

test('a user without a password says so', async () => {
  const refused = await user('add', 'bob');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^pabal: there is no password[^\n]+\n$/);
  assert.equal((await user('add', 'bob', '--without-password')).code, 0);
  const listed: unknown = JSON.parse((await user('list', '--json')).stdout);
  assert.ok(Array.isArray(listed));
  assert.ok(listed.some(({ name, hasPassword }) => name === 'bob' && hasPassword === false));
});
