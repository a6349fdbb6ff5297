import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import kafkajs, { Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs';
import { patientKafka } from '../../support/patience.ts';
import { openBed, password, pem, tls } from './sasl-bed.ts';

// Node finds no names for these in what kafkajs exports.
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

const certificates = path.resolve(import.meta.dirname, '../../net/certificates');
const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

/** Sends a message, and tells how many there are. */
async function sendWith(port: number, config: Partial<KafkaConfig>): Promise<string | undefined> {
  const kafka = new Kafka({
    brokers: [`127.0.0.1:${port}`],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    ...patientKafka,
    ...config,
  });
  const producer = kafka.producer();
  const admin = kafka.admin();
  try {
    await producer.connect();
    await producer.send({ topic: 'orders', messages: [{ value: 'v' }] });
    await admin.connect();
    return (await admin.fetchTopicOffsets('orders'))[0]?.high;
  } finally {
    await Promise.all([producer.disconnect(), admin.disconnect()]);
  }
}

function saslOf(mechanism: (typeof mechanisms)[number], secret: string): SASLOptions {
  const credentials = { username: 'ann', password: secret };
  if (mechanism === 'plain') return { mechanism, ...credentials };
  if (mechanism === 'scram-sha-256') return { mechanism, ...credentials };
  return { mechanism, ...credentials };
}

for (const mechanism of mechanisms) {
  for (const ssl of [undefined, { ca: [pem('authority.pem')] }]) {
    test(`kafkajs logs in by ${mechanism} ${ssl ? 'over TLS' : ''}`, async (t) => {
      const { broker, port } = await openBed(t, ssl === undefined ? {} : { tls });
      await broker.topics.create({ name: 'orders' });
      const config = ssl === undefined ? {} : { ssl };
      const sasl = saslOf(mechanism, password);
      assert.equal(await sendWith(port, { ...config, sasl }), '1');
      await assert.rejects(sendWith(port, { ...config, sasl: saslOf(mechanism, 'wrong') }));
    });
  }
}

test('a certificate is enough for what the user may whom it names', async (t) => {
  const { broker, port } = await openBed(t, { tls, certificateUser: 'common-name' });
  await broker.topics.create({ name: 'orders' });
  const ssl = {
    ca: [pem('authority.pem')],
    cert: pem('client.pem'),
    key: pem('client.key.pem'),
  };
  await assert.rejects(sendWith(port, { ssl }), 'nobody has given a right to whom it names');
  await broker.access.putUser({ name: 'client', tags: [] });
  await assert.rejects(sendWith(port, { ssl }), 'it may do nothing');
  await broker.access.putPermission({
    user: 'client',
    namespace: '',
    configure: '.*',
    write: '.*',
    read: '.*',
  });
  assert.equal(await sendWith(port, { ssl }), '1');
});

test('kafkajs logs in by a token', async (t) => {
  const expiresMs = Date.now() + 3_600_000;
  const { broker, port } = await openBed(t, {
    tokens: { verify: (user) => Promise.resolve({ user, expiresMs }) },
  });
  await broker.topics.create({ name: 'orders' });
  const sasl: SASLOptions = {
    mechanism: 'oauthbearer',
    oauthBearerProvider: () => Promise.resolve({ value: 'ann' }),
  };
  assert.equal(await sendWith(port, { sasl }), '1');
});

test('kafkajs makes ACLs that hold for others, finds and deletes them', async (t) => {
  const { broker, port } = await openBed(t);
  await broker.topics.create({ name: 'orders' });
  await broker.access.putUser({ name: 'ann', tags: ['administrator'] });
  const options = { brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING, ...patientKafka };
  const admin = new Kafka({ ...options, sasl: saslOf('plain', password) }).admin();
  await admin.connect();
  t.after(() => admin.disconnect());
  const asBob = { mechanism: 'plain', username: 'bob', password } as const;
  const send = () => sendWith(port, { sasl: asBob });
  await assert.rejects(send(), /authoriz/i);
  const acl = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: 'ord',
    resourcePatternType: ResourcePatternTypes.PREFIXED,
    principal: 'User:bob',
    host: '*',
    operation: AclOperationTypes.WRITE,
    permissionType: AclPermissionTypes.ALLOW,
  };
  await admin.createAcls({ acl: [acl] });
  assert.equal(await send(), '1');
  const { resources } = await admin.describeAcls({
    ...acl,
    resourceName: 'orders',
    resourcePatternType: ResourcePatternTypes.MATCH,
  });
  assert.deepEqual(
    resources.map(({ resourceName, acls }) => [resourceName, acls.length]),
    [['ord', 1]],
  );
  const { filterResponses } = await admin.deleteAcls({ filters: [acl] });
  assert.equal(filterResponses[0]?.matchingAcls.length, 1);
  await assert.rejects(send(), /authoriz/i);
});

const hasKcat = spawnSync('kcat', ['-V']).error === undefined;

for (const protocol of ['SASL_PLAINTEXT', 'SASL_SSL']) {
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    test(`kcat logs in by ${mechanism} with ${protocol}`, {
      skip: hasKcat ? false : 'kcat is not installed',
    }, async (t) => {
      const { broker, port } = await openBed(t, protocol === 'SASL_SSL' ? { tls } : {});
      await broker.topics.create({ name: 'orders' });
      const properties = [
        `security.protocol=${protocol}`,
        `sasl.mechanism=${mechanism}`,
        'sasl.username=ann',
        `sasl.password=${password}`,
        `ssl.ca.location=${path.join(certificates, 'authority.pem')}`,
      ];
      const kcat = spawn('kcat', [
        ...['-b', `127.0.0.1:${port}`, '-L', '-m', '60'],
        ...properties.flatMap((property) => ['-X', property]),
      ]);
      let output = '';
      for (const stream of [kcat.stdout, kcat.stderr]) {
        stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
      }
      const code = await new Promise((resolve) => {
        kcat.on('close', resolve);
      });
      assert.equal(code, 0, output);
      assert.match(output, /topic "orders"/);
    });
  }
}
