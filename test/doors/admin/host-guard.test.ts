import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, test } from 'node:test';
import { HostGuard } from '../../../src/doors/admin/host-guard.ts';
import { Problem } from '../../../src/doors/admin/problem.ts';

function check(
  method: string,
  headers: Record<string, string>,
  listenHost = '127.0.0.1',
  names: string[] = ['console.example'],
): number {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the guard reads no more than this
  const request = { method, headers } as unknown as IncomingMessage;
  try {
    new HostGuard(listenHost, names).check(request);
    return 200;
  } catch (error) {
    assert.ok(error instanceof Problem);
    return error.status;
  }
}

describe('hosts while listening on loopback', () => {
  const hosts: ReadonlyArray<readonly [string, number]> = [
    ['127.0.0.1:7222', 200],
    ['127.3.4.5', 200],
    ['localhost:7222', 200],
    ['LocalHost', 200],
    ['app.localhost:80', 200],
    ['[::1]:7222', 200],
    ['console.example:443', 200],
    ['evil.example', 421],
    ['127.0.0.1.evil.example', 421],
    ['localhost.evil.example:7222', 421],
    ['evil.example:127', 421],
    ['[fe80::1]:7222', 421],
  ];
  for (const [host, status] of hosts) {
    for (const method of ['GET', 'POST']) {
      test(`${method} for ${host}: ${status}`, () => {
        assert.equal(check(method, { host }), status);
      });
    }
  }

  test('a request without a host is not from a browser', () => {
    assert.equal(check('GET', {}), 200);
  });
});

test('beyond loopback any host will do', () => {
  assert.equal(check('POST', { host: 'anything.example' }, '0.0.0.0'), 200);
});

describe('origins', () => {
  const own = { host: 'localhost:7222' };
  const origins: ReadonlyArray<readonly [string, Record<string, string>, number]> = [
    ['POST', { origin: 'http://localhost:7222' }, 200],
    ['POST', { origin: 'http://evil.example' }, 403],
    ['POST', { origin: 'http://localhost:8080' }, 403],
    ['POST', { origin: 'null' }, 403],
    ['DELETE', { 'sec-fetch-site': 'cross-site' }, 403],
    ['DELETE', { 'sec-fetch-site': 'same-origin' }, 200],
    ['GET', { origin: 'http://evil.example' }, 200],
  ];
  for (const [method, headers, status] of origins) {
    test(`${method} with ${JSON.stringify(headers)}: ${status}`, () => {
      assert.equal(check(method, { ...own, ...headers }), status);
    });
  }
});
