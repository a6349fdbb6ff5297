import type { Server } from 'node:http';
import type { AddressInfo, ListenOptions } from 'node:net';
import { AssertionError } from '../base/index.ts';
import type { DoorMetrics } from './door-metrics.ts';

/** By what Node's parser calls them; RFC 9110 §15.5.9 and RFC 6585 §5. */
const clientErrorStatuses: ReadonlyMap<string | undefined, string> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
]);

/** Resolves when the server accepts connections; rejects when it cannot listen there. */
export async function listenHttp(server: Server, where: ListenOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/** Where a server listens that does. */
export function addressOf(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new AssertionError('a listening server has an address');
  }
  return address;
}

/** Counts a server's connections and their bytes, and answers what is no HTTP before it closes the connection. */
export function countHttpConnections(server: Server, metrics: DoorMetrics): void {
  server.on('connection', (socket) => {
    metrics.connectionsAccepted++;
    metrics.connectionsOpen++;
    socket.once('close', () => {
      metrics.connectionsOpen--;
      metrics.bytesReceived += socket.bytesRead;
      metrics.bytesSent += socket.bytesWritten;
    });
  });
  server.on('drop', () => metrics.connectionsRefused++);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    metrics.connectionsAborted++;
    if (!socket.writable) return;
    const status = clientErrorStatuses.get(error.code) ?? '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
  });
}
