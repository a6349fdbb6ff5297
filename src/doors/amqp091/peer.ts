import type { PeerChannel, PeerConnection } from '../../broker/index.ts';
import { hostAndPort, plainAddress } from '../../net/index.ts';
import type { AmqpConnection } from './connection.ts';
import { plainTable } from './plain-table.ts';

/** A connection as tools list it, in the words of RabbitMQ's management. */
export class ConnectionPeer implements PeerConnection {
  readonly name: string;
  readonly protocol = 'AMQP 0-9-1';
  readonly user: string;
  readonly namespace: string;
  readonly peerHost: string;
  readonly peerPort: number;
  readonly host: string;
  readonly port: number;
  readonly connectedMs: number;
  readonly isTls: boolean;
  readonly #connection: AmqpConnection;

  constructor(connection: AmqpConnection) {
    const socket = connection.connection;
    this.#connection = connection;
    this.user = connection.identity.name;
    this.namespace = connection.namespace;
    this.peerHost = plainAddress(socket.remoteAddress);
    this.peerPort = socket.remotePort;
    this.host = plainAddress(socket.localAddress);
    this.port = socket.localPort;
    this.name = `${hostAndPort(this.peerHost, this.peerPort)} -> ${hostAndPort(this.host, this.port)}`;
    this.connectedMs = connection.connectedMs;
    this.isTls = socket.tls !== undefined;
  }

  details(): Record<string, unknown> {
    const connection = this.#connection;
    const name = connection.agreed.clientProperties.get('connection_name');
    return {
      state: connection.spelledState,
      auth_mechanism: connection.agreed.mechanism,
      channel_max: connection.agreed.channelMax,
      frame_max: connection.agreed.frameMax,
      timeout: connection.agreed.heartbeatS,
      client_properties: plainTable(connection.agreed.clientProperties),
      user_provided_name: name?.type === 'S' ? name.value : undefined,
      channels: connection.channels.length,
      recv_oct: connection.counts.receivedBytes,
      recv_cnt: connection.counts.receivedChunks,
      send_oct: connection.counts.sentBytes,
      send_cnt: connection.counts.sentPieces,
      send_pend: connection.connection.queuedBytes,
      ssl: this.isTls,
      ...connection.connection.tls?.describe(),
    };
  }

  channels(): readonly PeerChannel[] {
    return this.#connection.channels;
  }

  close(reason: string): void {
    this.#connection.forceClose(reason);
  }
}
