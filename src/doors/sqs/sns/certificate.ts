import { createHash, type KeyObject, sign } from 'node:crypto';

const subjectName = 'sns.amazonaws.com';
const validMs = 10 * 365 * 24 * 3_600_000;

/** DER, X.690 §8. */
const tag = {
  integer: 0x02,
  bitString: 0x03,
  null: 0x05,
  objectId: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
} as const;

/** 2.5.4.3, and 1.2.840.113549.1.1.11 (SHA-256 with RSA). */
const commonNameId = Buffer.from('550403', 'hex');
const sha256WithRsaId = Buffer.from('2a864886f70d01010b', 'hex');

/**
 * A certificate (RFC 5280 §4.1) by which the holder of a key vouches for itself, as PEM. Node can read certificates, but
 * not make them. `publicKey` is its SubjectPublicKeyInfo.
 */
export function renderCertificate(publicKey: Buffer, privateKey: KeyObject, nowMs: number): string {
  const algorithm = encode(tag.sequence, encode(tag.objectId, sha256WithRsaId), encode(tag.null));
  const name = encode(
    tag.sequence,
    encode(
      tag.set,
      encode(
        tag.sequence,
        encode(tag.objectId, commonNameId),
        encode(tag.utf8, Buffer.from(subjectName)),
      ),
    ),
  );
  const serial = createHash('sha256').update(publicKey).digest().subarray(0, 16);
  // Positive, and not beginning with a zero byte.
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  const body = encode(
    tag.sequence,
    encode(tag.version, encode(tag.integer, Buffer.from([2]))),
    encode(tag.integer, serial),
    algorithm,
    name,
    encode(tag.sequence, encodeTime(nowMs), encodeTime(nowMs + validMs)),
    name,
    publicKey,
  );
  const signature = sign('sha256', body, privateKey);
  const bits = encode(tag.bitString, Buffer.from([0]), signature);
  const text = encode(tag.sequence, body, algorithm, bits).toString('base64');
  const lines = text.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function encode(kind: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80
      ? [kind, length]
      : length < 0x100
        ? [kind, 0x81, length]
        : [kind, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

/** `YYMMDDHHMMSSZ`: years up to 2049. */
function encodeTime(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14);
  return encode(tag.utcTime, Buffer.from(`${text}Z`));
}
