import type {
  RequestListener,
  Server as HttpServer,
  ServerOptions as HttpOptions,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Server, Socket } from 'node:net';
import {
  createServer,
  type PeerCertificate,
  type SecureContextOptions,
  type Server as NodeTlsServer,
  type TlsOptions as NodeTlsOptions,
  type TLSSocket,
} from 'node:tls';
import { limits } from '../base/index.ts';

/** What may be replaced while a server runs. */
export interface TlsFiles {
  /** PEM texts. The certificate may be followed by those of its issuers. */
  readonly certificate: string | Buffer;
  readonly key: string | Buffer;
  /** Issuers whose clients' certificates are believed; default: those that the system trusts. */
  readonly authorities?: string | Buffer | undefined;
}

export interface TlsOptions extends TlsFiles {
  /**
   * Calls `changed` with files that can be used whenever they are others, until the function that it returns is called.
   * Connections that are open keep what they have.
   */
  readonly watch?: ((changed: (files: TlsFiles) => void) => () => void) | undefined;
  /**
   * `none`: clients are not asked for a certificate. `request`: one that is shown must be good. `require`: one must be
   * shown.
   */
  readonly verifyPeer: 'none' | 'request' | 'require';
}

/** What of a client's certificate names its user. */
export type CertificateUser = 'distinguished-name' | 'common-name';

/**
 * For `ListenerOptions.createServer`: a server that hands out sockets whose handshake is done. Throws an error of
 * OpenSSL for a certificate or key that cannot be read, or that do not fit each other.
 */
export function createTlsServer(options: TlsOptions, onSocket: (socket: Socket) => void): Server {
  const server = createServer(serverOptionsOf(options), (socket) => {
    if (handshakes.admits(socket)) onSocket(socket);
    else socket.destroy();
  });
  const handshakes = new Handshakes(server, options);
  return server;
}

/** The same for HTTP. */
export function createTlsHttpServer(
  options: TlsOptions,
  http: HttpOptions,
  onRequest: RequestListener,
): HttpServer {
  const server = createHttpsServer({ ...http, ...serverOptionsOf(options) }, onRequest);
  const handshakes = new Handshakes(server, options);
  server.prependListener('secureConnection', (socket) => {
    if (!handshakes.admits(socket)) socket.destroy();
  });
  return server;
}

function serverOptionsOf(options: TlsOptions): NodeTlsOptions {
  return {
    ...contextOf(options),
    requestCert: options.verifyPeer !== 'none',
    // With `request`, a client without a certificate is let in: that is told apart in `admits`.
    rejectUnauthorized: options.verifyPeer === 'require',
    handshakeTimeout: limits.handshakeMs,
  };
}

/** Those who are shaking hands with a server, and the files that it shows them. */
class Handshakes {
  readonly #sockets = new Map<string, Socket>();
  readonly #isAsking: boolean;

  constructor(server: NodeTlsServer, options: TlsOptions) {
    this.#isAsking = options.verifyPeer !== 'none';
    server.on('connection', (socket: Socket) => {
      const end = endOf(socket);
      this.#sockets.set(end, socket);
      socket.once('close', () => {
        if (this.#sockets.get(end) === socket) this.#sockets.delete(end);
      });
    });
    // A handshake that fails is the peer's matter; its socket is closed already.
    server.on('tlsClientError', () => {});
    const unwatch = options.watch?.((files) => server.setSecureContext(contextOf(files)));
    const close = server.close.bind(server);
    server.close = (callback) => {
      unwatch?.();
      // Whoever is still shaking hands has not begun anything, and would hold the server open.
      for (const socket of this.#sockets.values()) socket.destroy();
      return close(callback);
    };
  }

  /** Of a socket whose handshake is done: whether the certificate that it showed, if any, is believed. */
  admits(socket: TLSSocket): boolean {
    this.#sockets.delete(endOf(socket));
    return !this.#isAsking || socket.authorized || !hasCertificate(socket.getPeerCertificate());
  }
}

/** It replaces the whole of the one before: whatever is not said falls back to Node's defaults. */
function contextOf({ certificate, key, authorities }: TlsFiles): SecureContextOptions {
  return {
    cert: certificate,
    key,
    ...(authorities === undefined ? {} : { ca: authorities }),
    minVersion: 'TLSv1.2',
  };
}

/** What two ends of a TLS connection agreed on. */
export class TlsFacts {
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
  }

  /** The user that a verified certificate of the client names; undefined: none was shown, or it is not believed. */
  user(from: CertificateUser): string | undefined {
    if (!this.#socket.authorized) return undefined;
    const certificate = this.#socket.getPeerCertificate();
    if (!hasCertificate(certificate)) return undefined;
    const name =
      from === 'common-name' ? firstOf(certificate.subject.CN) : printName(certificate.subject);
    return name === '' ? undefined : name;
  }

  /** For people who look: protocol, cipher, and the certificate that the client showed. */
  describe(): Record<string, unknown> {
    const socket = this.#socket;
    const certificate = socket.getPeerCertificate();
    const shown = hasCertificate(certificate)
      ? {
          peer_cert_subject: printName(certificate.subject),
          peer_cert_issuer: printName(certificate.issuer),
          peer_cert_validity: `${certificate.valid_from} - ${certificate.valid_to}`,
        }
      : {};
    return {
      ssl_protocol: socket.getProtocol()?.toLowerCase() ?? '',
      ssl_cipher: socket.getCipher().name,
      ...shown,
    };
  }
}

function endOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
}

/** Without one, Node gives an empty object. */
function hasCertificate(certificate: PeerCertificate): boolean {
  return Object.keys(certificate).length > 0;
}

function firstOf(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

/** RFC 4514: the most specific part first. */
function printName(name: PeerCertificate['subject']): string {
  const parts: string[] = [];
  for (const [type, value] of Object.entries(name)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value])
      parts.push(`${type}=${escapeValue(one)}`);
  }
  return parts.toReversed().join(',');
}

function escapeValue(value: string): string {
  return value.replaceAll(/[,+"\\<>;]/g, (special) => `\\${special}`);
}
