import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { addressOf, countHttpConnections, DoorMetrics, listenHttp } from '../../src/net/index.ts';
import { patienceMs } from '../support/patience.ts';

/** Sends bytes on a connection of its own; resolves with all that comes until the server closes it. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
    socket.write(bytes);
  });
}

describe('an HTTP server of a door', () => {
  const metrics = new DoorMetrics();
  let server: Server;
  let port: number;

  before(async () => {
    server = createServer((_request, response) => response.end('yes'));
    countHttpConnections(server, metrics);
    await listenHttp(server, { port: 0, host: '127.0.0.1' });
    port = addressOf(server).port;
  });
  after(() => new Promise((resolve) => server.close(resolve)));

  test('says where it listens', () => {
    assert.equal(addressOf(server).address, '127.0.0.1');
    assert.ok(port > 0);
  });

  test('counts a connection and its bytes, and answers 400 to what is no HTTP', async () => {
    const request = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const answer = await exchange(port, request);
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    assert.equal(metrics.connectionsAborted, 0);
    assert.match(await exchange(port, 'no HTTP at all\r\n\r\n'), /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.equal(metrics.connectionsAccepted, 2);
    assert.equal(metrics.connectionsAborted, 1);
    // They are counted at the end of a connection, which the server may see later than the client.
    const untilMs = performance.now() + patienceMs;
    while (metrics.connectionsOpen > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(metrics.connectionsOpen, 0);
    assert.ok(metrics.bytesReceived >= request.length);
    assert.ok(metrics.bytesSent > 0);
  });

  test('rejects where another one listens', async () => {
    const other = createServer();
    await assert.rejects(listenHttp(other, { port, host: '127.0.0.1' }), { code: 'EADDRINUSE' });
  });
});
