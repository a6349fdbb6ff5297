import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { openBed } from './sqs-bed.ts';

const pages: ReadonlyArray<[headers: Record<string, string>, isAnswered: boolean]> = [
  [{}, true],
  [{ origin: 'http://localhost:3000' }, true],
  [{ origin: 'http://127.0.0.1' }, true],
  [{ origin: 'http://[::1]:80' }, true],
  [{ origin: 'https://elsewhere.example' }, false],
  [{ origin: 'null' }, false],
  [{ origin: 'http://rebound.example', host: 'rebound.example' }, false],
  [{ 'sec-fetch-site': 'cross-site' }, false],
  [{ 'sec-fetch-site': 'none' }, true],
];

for (const [headers, isAnswered] of pages) {
  test(`without access keys a page is ${isAnswered ? 'answered' : 'refused'}: ${JSON.stringify(headers)}`, async (t) => {
    const bed = await openBed(t);
    const signed = await openBed(t, { accessKeys: new Map([['KEY', 'secret']]) });
    for (const method of ['POST', 'OPTIONS'] as const) {
      const ask = (url: string): Promise<[status: number, cors: string | undefined]> =>
        new Promise((resolve, reject) => {
          const asking = request(url, { method, headers }, (answer) => {
            answer.resume();
            const cors = answer.headers['access-control-allow-origin'];
            resolve([answer.statusCode ?? 0, cors]);
          });
          asking.on('error', reject);
          asking.end(method === 'POST' ? 'Action=ListQueues&Version=2012-11-05' : '');
        });
      const [status, cors] = await ask(bed.url);
      assert.equal(status, isAnswered ? 200 : 403);
      if (!isAnswered) assert.equal(cors, undefined);
      // Who must sign has proved who it is: a page may ask for the answer.
      if (method === 'OPTIONS') assert.deepEqual(await ask(signed.url), [200, '*']);
    }
  });
}
