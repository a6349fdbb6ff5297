import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findKafkaVersion, installKafka } from '../../bench/kafka/distribution.ts';
import { describeProgram, runCommand } from './external-suite.ts';
import { buildGo } from './go-build.ts';
import { installPython } from './python-environment.ts';
import { ServerProcess } from './server-process.ts';

/*
 * Clients that log in by every mechanism over TLS, and the tools that say who may do what. The server is always ours: it
 * is told which users there are, and whose tokens to believe.
 */

const password = 'a, strange = password';
const all = { configure: '.*', write: '.*', read: '.*' };
const users = [
  { name: 'app', password, tags: ['administrator'], permissions: [all] },
  // Whom the certificate names.
  { name: 'client', permissions: [all] },
  { name: 'limited', password },
];

const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-security-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, content: string): string {
  const at = path.join(directory, name);
  writeFileSync(at, content);
  return at;
}

function certificate(name: string): string {
  return path.resolve(import.meta.dirname, '../net/certificates', name);
}

const signer = generateKeyPairSync('rsa', { modulusLength: 2048 });
const keySet = file(
  'keys.json',
  JSON.stringify({ keys: [{ ...signer.publicKey.export({ format: 'jwk' }), kid: 'one' }] }),
);

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function issueToken(): string {
  const nowS = Math.floor(Date.now() / 1000);
  const claims = { sub: 'app', iss: 'https://issuer', aud: 'pabal', iat: nowS, exp: nowS + 3600 };
  const signed = `${encode({ alg: 'RS256', kid: 'one', typ: 'JWT' })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), signer.privateKey);
  return `${signed}.${signature.toString('base64url')}`;
}

const token = issueToken();

const words = [
  ...['--kafka-authentication', 'required', '--users', JSON.stringify(users)],
  ...['--tls', 'kafka', '--tls-certificate', certificate('server.pem')],
  ...['--tls-key', certificate('server.key.pem')],
  ...['--tls-authorities', certificate('authority.pem'), '--tls-verify-peer', 'request'],
  ...['--tls-user', 'common-name', '--token-keys', keySet],
  ...['--token-issuer', 'https://issuer', '--token-audience', 'pabal'],
];
const doors = ['kafka'];

const checks = {
  plain: 'logs in with PLAIN, produces and consumes',
  scram256: 'logs in with SCRAM-SHA-256, produces and consumes',
  scram512: 'logs in with SCRAM-SHA-512, produces and consumes',
  token: 'logs in with OAUTHBEARER, produces and consumes',
  certificate: 'is known by its certificate, produces and consumes',
  wrong: 'is told that its password is wrong',
  acls: 'makes, finds and deletes ACLs, which hold for others',
  credentials: 'makes a user with credentials of SCRAM, who can log in, and deletes them',
};

const environment = {
  SECURITY_PASSWORD: password,
  SECURITY_TOKEN: token,
  SECURITY_AUTHORITY: certificate('authority.pem'),
  SECURITY_CERTIFICATE: certificate('client.pem'),
  SECURITY_KEY: certificate('client.key.pem'),
};

const python = path.join(import.meta.dirname, 'python');
describeProgram({
  name: 'confluent-kafka (Python, librdkafka), secured',
  checks,
  words,
  doors,
  environment,
  install: () => [installPython(python), path.join(python, 'security.py')],
});
describeProgram({
  name: 'franz-go, secured',
  checks,
  words,
  doors,
  environment,
  install: () => buildGo('security'),
});

function scramModule(user: string, secret: string): string {
  return `org.apache.kafka.common.security.scram.ScramLoginModule required username="${user}" password="${secret}";`;
}

const authority = `ssl.truststore.type=PEM\nssl.truststore.location=${certificate('authority.pem')}\n`;
const tokenFile = file('token.jwt', token);
const oauth = 'org.apache.kafka.common.security.oauthbearer';

/** Of the Java client: everything that says who somebody is. */
const logins: Readonly<Record<string, string>> = {
  PLAIN: [
    'security.protocol=SASL_SSL',
    'sasl.mechanism=PLAIN',
    `sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="app" password="${password}";`,
  ].join('\n'),
  'SCRAM-SHA-256': [
    'security.protocol=SASL_SSL',
    'sasl.mechanism=SCRAM-SHA-256',
    `sasl.jaas.config=${scramModule('app', password)}`,
  ].join('\n'),
  'SCRAM-SHA-512': [
    'security.protocol=SASL_SSL',
    'sasl.mechanism=SCRAM-SHA-512',
    `sasl.jaas.config=${scramModule('app', password)}`,
  ].join('\n'),
  OAUTHBEARER: [
    'security.protocol=SASL_SSL',
    'sasl.mechanism=OAUTHBEARER',
    `sasl.jaas.config=${oauth}.OAuthBearerLoginModule required;`,
    `sasl.login.callback.handler.class=${oauth}.OAuthBearerLoginCallbackHandler`,
    `sasl.oauthbearer.token.endpoint.url=file://${tokenFile}`,
  ].join('\n'),
  certificate: [
    'security.protocol=SSL',
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${file(
      'client-store.pem',
      `${readPem('client.key.pem')}${readPem('client.pem')}`,
    )}`,
  ].join('\n'),
};

function readPem(name: string): string {
  return readFileSync(certificate(name), 'utf8');
}

describe(`Java client and Kafka's tools ${findKafkaVersion()}, secured`, () => {
  let server: ServerProcess;
  let libraries: string;
  const suffix = process.pid.toString(36);

  before(async () => {
    libraries = installKafka();
    server = await ServerProcess.start(words, doors);
  });

  after(async () => {
    await server.stop();
  });

  /** Runs one of the tools as its script in Kafka's bin/ does, as somebody. */
  function run(
    login: string,
    main: string,
    more: readonly string[],
    input?: string,
  ): Promise<string> {
    const className = main.startsWith('kafka.') ? main : `org.apache.kafka.tools.${main}`;
    const properties = file(`${suffix}-${main}.properties`, `${authority}${login}\n`);
    return runCommand(
      [
        ...['java', '-Xmx256m'],
        `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://${tokenFile}`,
        `-Dorg.apache.kafka.sasl.oauthbearer.allowed.files=${tokenFile}`,
        ...['-cp', libraries, className, '--bootstrap-server', server.bootstrap],
        ...['--command-config', properties, ...more],
      ],
      input === undefined ? {} : { input },
    );
  }

  const admin = logins['SCRAM-SHA-512']!;
  const limited = admin.replace('"app"', '"limited"');

  for (const [name, login] of Object.entries(logins)) {
    test(`lines pass by ${name}`, async () => {
      const topic = `login-${name.toLowerCase()}-${suffix}`;
      await run(login, 'TopicCommand', ['--create', '--topic', topic]);
      await run(login, 'ConsoleProducer', ['--topic', topic], 'a\nb\n');
      const output = await run(login, 'consumer.ConsoleConsumer', [
        ...['--topic', topic, '--from-beginning', '--max-messages', '2', '--timeout-ms', '30000'],
      ]);
      assert.equal(output, 'a\nb\n');
    });
  }

  test('a wrong password is told', async () => {
    const wrong = admin.replace(password, 'wrong');
    await assert.rejects(
      run(wrong, 'TopicCommand', ['--list']),
      /Authentication failed during authentication due to invalid credentials/,
    );
  });

  test('kafka-acls adds, lists and removes what the broker then asks for', async () => {
    const topic = `acls-${suffix}`;
    const group = `${topic}-group`;
    await run(admin, 'TopicCommand', ['--create', '--topic', topic]);
    const produce = () => run(limited, 'ConsoleProducer', ['--topic', topic, '--sync'], 'a\n');
    const consume = () =>
      run(limited, 'consumer.ConsoleConsumer', [
        ...['--topic', topic, '--from-beginning', '--max-messages', '1', '--group', group],
        ...['--timeout-ms', '30000'],
      ]);
    const acls = (more: readonly string[]) => run(admin, 'AclCommand', more);
    const principal = ['--allow-principal', 'User:limited'];
    await acls(['--add', ...principal, '--producer', '--topic', topic]);
    await produce();
    // It ends with 0 whatever happens.
    assert.equal(await consume(), '');
    await acls([
      ...['--add', ...principal, '--consumer', '--topic', topic],
      ...['--group', topic, '--resource-pattern-type', 'prefixed'],
    ]);
    assert.equal(await consume(), 'a\n');
    const listed = await acls(['--list', '--topic', topic, '--resource-pattern-type', 'match']);
    assert.match(listed, /principal=User:limited, host=\*, operation=WRITE, permissionType=ALLOW/);
    assert.match(listed, /principal=User:limited, host=\*, operation=READ, permissionType=ALLOW/);
    await acls([
      '--add',
      '--deny-principal',
      'User:limited',
      '--operation',
      'Write',
      '--topic',
      '*',
    ]);
    await assert.rejects(produce(), /AuthorizationException/);
    await acls([
      ...['--remove', '--force', '--deny-principal', 'User:limited'],
      ...['--operation', 'Write', '--topic', '*'],
    ]);
    await produce();
    await assert.rejects(run(limited, 'AclCommand', ['--list']), /ClusterAuthorizationException/);
    await assert.rejects(
      run(limited, 'TopicCommand', ['--create', '--topic', `${topic}-other`]),
      /Authorization failed/,
    );
    const topics = (await run(limited, 'TopicCommand', ['--list'])).trim().split('\n');
    assert.deepEqual(topics, [topic]);
  });

  test('kafka-configs makes, describes and deletes credentials of SCRAM', async () => {
    const user = `made-${suffix}`;
    const configs = (more: readonly string[]) =>
      run(admin, 'kafka.admin.ConfigCommand', [
        ...['--entity-type', 'users', '--entity-name', user, ...more],
      ]);
    await configs(['--alter', '--add-config', 'SCRAM-SHA-512=[iterations=4096,password=made-up]']);
    assert.match(await configs(['--describe']), /SCRAM-SHA-512=iterations=4096/);
    const made = admin.replace(scramModule('app', password), scramModule(user, 'made-up'));
    assert.equal((await run(made, 'TopicCommand', ['--list'])).trim(), '');
    await configs(['--alter', '--delete-config', 'SCRAM-SHA-512']);
    await assert.rejects(run(made, 'TopicCommand', ['--list']), /invalid credentials/);
  });
});
