import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { describeConfig, loadConfig, openDoors, StartFailure } from '../../src/server/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'pabal-config-'));
after(() => rmSync(directory, { recursive: true, force: true }));

let fileCount = 0;
function writeFile(name: string, text: string): string {
  const path = join(directory, `${fileCount++}-${name}`);
  writeFileSync(path, text);
  return path;
}

function load(input: Partial<Parameters<typeof loadConfig>[0]> = {}) {
  return loadConfig({ environment: {}, flags: {}, ...input });
}

describe('sources', () => {
  test('defaults listen on loopback with the standard ports', async () => {
    const { settings, sources } = await load();
    assert.deepEqual(settings.listen, {
      kafka: { host: '127.0.0.1', port: 9092 },
      amqp: { host: '127.0.0.1', port: 5672 },
      'rabbitmq-management': { host: '127.0.0.1', port: 15_672 },
      sqs: { host: '127.0.0.1', port: 9324 },
      admin: { host: '127.0.0.1', port: 7222 },
    });
    assert.equal(settings.sync, 'always');
    assert.equal(sources.size, 0);
  });

  test('a flag wins over the environment, the environment over the file, the file over defaults', async () => {
    const file = writeFile(
      'a.json',
      '{"data":"/file","sync":"os","log":"json","listen":{"admin":"127.0.0.1:1"}}',
    );
    const { settings, sources } = await load({
      configFile: file,
      environment: { PABAL_DATA: '/env', PABAL_SYNC: 'always', PABAL_LISTEN: 'kafka=127.0.0.1:2' },
      flags: { data: '/flag' },
    });
    assert.equal(settings.data, '/flag');
    assert.equal(settings.sync, 'always');
    assert.equal(settings.log, 'json');
    assert.deepEqual(settings.listen, {
      kafka: { host: '127.0.0.1', port: 2 },
      amqp: { host: '127.0.0.1', port: 5672 },
      'rabbitmq-management': { host: '127.0.0.1', port: 15_672 },
      sqs: { host: '127.0.0.1', port: 9324 },
      admin: { host: '127.0.0.1', port: 1 },
    });
    assert.deepEqual(Object.fromEntries(sources), {
      data: '--data',
      sync: 'PABAL_SYNC',
      log: file,
      'listen.admin': file,
      'listen.kafka': 'PABAL_LISTEN',
    });
  });

  test('YAML is read like JSON', async () => {
    const file = writeFile('a.yaml', 'sync: os\nnoListen: [admin]\nlisten:\n  kafka: "[::1]:9"\n');
    const { settings } = await load({ configFile: file });
    assert.equal(settings.sync, 'os');
    assert.deepEqual(settings.noListen, ['admin']);
    assert.deepEqual(settings.listen.kafka, { host: '::1', port: 9 });
  });

  test('an empty YAML file sets nothing', async () => {
    const { sources } = await load({ configFile: writeFile('empty.yaml', '# nothing\n') });
    assert.equal(sources.size, 0);
  });

  test('PABAL_CONFIG names the file', async () => {
    const file = writeFile('b.json', '{"sync":"os"}');
    const { settings } = await load({ environment: { PABAL_CONFIG: file } });
    assert.equal(settings.sync, 'os');
  });

  test('a bare boolean flag is true, and a value may be given', async () => {
    assert.equal((await load({ flags: { insecure: true } })).settings.insecure, true);
    assert.equal(
      (await load({ flags: { createTopicsOnUse: 'no' } })).settings.createTopicsOnUse,
      false,
    );
  });

  test('a variable that is nearly one of ours is warned about, others are not', async () => {
    const { warnings } = await load({ environment: { PABAL_DTA: '/x', PABAL_SOAK_RUNS: '5' } });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /PABAL_DTA.*PABAL_DATA/);
  });

  test('the list says where each value came from', async () => {
    const rows = describeConfig(await load({ flags: { listen: ['kafka=127.0.0.1:0'] } }));
    assert.deepEqual(
      rows.find(({ key }) => key === 'listen.kafka'),
      { key: 'listen.kafka', value: '127.0.0.1:0', source: '--listen' },
    );
    assert.deepEqual(
      rows.find(({ key }) => key === 'cache'),
      { key: 'cache', value: '64MiB', source: 'default' },
    );
  });
});

describe('doors', () => {
  const choices: ReadonlyArray<readonly [Record<string, string>, string[]]> = [
    [{}, ['kafka', 'amqp', 'rabbitmq-management', 'sqs', 'admin']],
    [{ noListen: 'admin' }, ['kafka', 'amqp', 'rabbitmq-management', 'sqs']],
    [{ only: 'admin' }, ['admin']],
    [{ only: 'kafka,admin', noListen: 'kafka' }, ['admin']],
  ];
  for (const [flags, doors] of choices) {
    test(`${JSON.stringify(flags)} opens ${doors.join(', ')}`, async () => {
      assert.deepEqual(openDoors((await load({ flags })).settings), doors);
    });
  }
});

describe('refusals name the source, say what was expected, and suggest', () => {
  const refused: ReadonlyArray<readonly [string, () => Promise<unknown>, RegExp]> = [
    [
      'an unknown key',
      () => load({ configFile: writeFile('k.json', '{"no-listn":[]}') }),
      /unknown key "no-listn"; did you mean "noListen"\?/,
    ],
    [
      'an unknown key that resembles nothing',
      () => load({ configFile: writeFile('z.json', '{"zzz":1}') }),
      /unknown key "zzz"$/,
    ],
    [
      'a wrong value of a flag',
      () => load({ flags: { sync: 'never' } }),
      /^--sync: expected always or os, not "never"$/,
    ],
    [
      'a wrong value of a variable',
      () => load({ environment: { PABAL_CACHE: '12 apples' } }),
      /^PABAL_CACHE: expected a size/,
    ],
    [
      'a wrong value of a file',
      () => load({ configFile: writeFile('v.json', '{"data":{}}') }),
      /data: expected a single value, not \{\}/,
    ],
    [
      'an address without a port',
      () => load({ flags: { listen: ['kafka=localhost'] } }),
      /expected HOST:PORT/,
    ],
    [
      'a port beyond the last',
      () => load({ flags: { listen: ['kafka=localhost:65536'] } }),
      /expected HOST:PORT/,
    ],
    [
      'an address without a door',
      () => load({ flags: { listen: ['127.0.0.1:9092'] } }),
      /expected DOOR=HOST:PORT/,
    ],
    [
      'a door that does not exist',
      () => load({ flags: { listen: ['kafak=127.0.0.1:1'] } }),
      /no door "kafak"; did you mean "kafka"/,
    ],
    [
      'a door that resembles none',
      () => load({ flags: { listen: ['smtp=127.0.0.1:1'] } }),
      /no door "smtp"; there are: kafka, amqp, rabbitmq-management, sqs, admin/,
    ],
    [
      'a missing file',
      () => load({ configFile: join(directory, 'none.json') }),
      /cannot read .*none\.json/,
    ],
    [
      'broken JSON',
      () => load({ configFile: writeFile('j.json', '{"data":') }),
      /cannot read .*j\.json/,
    ],
    [
      'broken YAML',
      () => load({ configFile: writeFile('y.yaml', 'a: [1') }),
      /cannot read .*y\.yaml/,
    ],
    [
      'a file that is a list',
      () => load({ configFile: writeFile('l.json', '[]') }),
      /expected an object/,
    ],
  ];
  for (const [name, run, message] of refused) {
    test(name, async () => {
      await assert.rejects(run, (error) => {
        assert.ok(error instanceof StartFailure);
        assert.equal(error.exitCode, 1);
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n'), 'one line');
        return true;
      });
    });
  }
});
