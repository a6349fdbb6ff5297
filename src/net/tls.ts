import type { Server, Socket } from 'node:net';
import {
  createServer,
  type PeerCertificate,
  type SecureContextOptions,
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
  const isAsking = options.verifyPeer !== 'none';
  const handshaking = new Map<string, Socket>();
  const server = createServer(
    {
      ...contextOf(options),
      requestCert: isAsking,
      // With `request`, a client without a certificate is let in: that is told apart below.
      rejectUnauthorized: options.verifyPeer === 'require',
      handshakeTimeout: limits.handshakeMs,
    },
    (socket) => {
      handshaking.delete(endOf(socket));
      const isBad = isAsking && !socket.authorized && hasCertificate(socket.getPeerCertificate());
      if (isBad) socket.destroy();
      else onSocket(socket);
    },
  );
  server.on('connection', (socket: Socket) => {
    const end = endOf(socket);
    handshaking.set(end, socket);
    socket.once('close', () => {
      if (handshaking.get(end) === socket) handshaking.delete(end);
    });
  });
  // A handshake that fails is the peer's matter; its socket is closed already.
  server.on('tlsClientError', () => {});
  const unwatch = options.watch?.((files) => server.setSecureContext(contextOf(files)));
  const close = server.close.bind(server);
  server.close = (callback) => {
    unwatch?.();
    // Whoever is still shaking hands has not begun anything, and would hold the server open.
    for (const socket of handshaking.values()) socket.destroy();
    return close(callback);
  };
  return server;
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
