import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { SystemClock } from '../../../src/base/index.ts';
import { checkSignature } from '../../../src/doors/sqs/signature.ts';
import { openBed } from './sqs-bed.ts';

const accessKeys = new Map([['AKTEST', 'secret']]);

test('with access keys, signed requests are let in and others are told why not', async (t) => {
  const bed = await openBed(t, { accessKeys });
  await bed.client.send(new ListQueuesCommand({}));
  const table: Array<[string, string, number, string]> = [
    ['AKTEST', 'wrong', 0, 'SignatureDoesNotMatch'],
    ['AKNONE', 'secret', 0, 'InvalidClientTokenId'],
    ['AKTEST', 'secret', -600_000, 'SignatureDoesNotMatch'],
    ['AKTEST', 'secret', 600_000, 'SignatureDoesNotMatch'],
  ];
  for (const [accessKeyId, secretAccessKey, systemClockOffset, code] of table) {
    const client = new SQSClient({
      endpoint: bed.url,
      region: 'us-east-1',
      credentials: { accessKeyId, secretAccessKey },
      systemClockOffset,
      maxAttempts: 1,
    });
    await assert.rejects(client.send(new ListQueuesCommand({})), (error: Error) => {
      assert.match(error.name, new RegExp(code), error.message);
      return true;
    });
    client.destroy();
  }
  const { status, json, headers } = await bed.json('ListQueues', {});
  assert.equal(status, 403);
  assert.match(String(json['__type']), /MissingAuthenticationToken/);
  assert.equal(headers.get('x-amzn-query-error'), 'MissingAuthenticationToken;Sender');
  const xml = await bed.query({ Action: 'ListQueues' });
  assert.match(xml.text, /<Code>MissingAuthenticationToken<\/Code>/);
});

test('a presigned request is good until it expires', async () => {
  // Signed with the example secret of AWS's own documentation of Signature Version 4; no server is asked.
  const { SignatureV4 } = await import('@smithy/signature-v4');
  const { createHash, createHmac } = await import('node:crypto');
  class Hash {
    readonly #hash;
    constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
      this.#hash =
        secret === undefined
          ? createHash('sha256')
          : createHmac(
              'sha256',
              typeof secret === 'string' ? secret : Buffer.from(secret as Uint8Array),
            );
    }
    update(data: string | Uint8Array): void {
      this.#hash.update(data);
    }
    digest(): Promise<Uint8Array> {
      return Promise.resolve(this.#hash.digest());
    }
    reset(): void {}
  }
  const nowMs = new SystemClock().nowMs();
  const signer = new SignatureV4({
    service: 'sqs',
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKTEST', secretAccessKey: 'secret' },
    sha256: Hash,
  });
  const signed = await signer.presign(
    {
      method: 'GET',
      protocol: 'http:',
      hostname: 'localhost',
      path: '/000000000000/a b',
      headers: { host: 'localhost' },
      query: { Action: 'SendMessage', MessageBody: 'a b+c*' },
    },
    { signingDate: new Date(nowMs), expiresIn: 60 },
  );
  const query = new URLSearchParams(signed.query as Record<string, string>).toString();
  const request = {
    method: 'GET',
    target: `/000000000000/a b?${query.replaceAll('+', '%20')}`,
    headers: { host: 'localhost' },
    body: Buffer.alloc(0),
  };
  checkSignature(request, accessKeys, nowMs + 59_000);
  assert.throws(() => checkSignature(request, accessKeys, nowMs + 61_000), {
    code: 'RequestExpiredException',
  });
  assert.throws(() => checkSignature({ ...request, method: 'POST' }, accessKeys, nowMs), {
    code: 'SignatureDoesNotMatchException',
  });
  // Who was given it cannot make another action of it.
  const headers = { host: 'localhost', 'x-amz-target': 'AmazonSQS.ListQueues' };
  assert.throws(() => checkSignature({ ...request, headers }, accessKeys, nowMs), {
    code: 'IncompleteSignatureException',
  });
});
