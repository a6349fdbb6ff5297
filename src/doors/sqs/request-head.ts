import type { IncomingHttpHeaders } from 'node:http';
import { limits } from '../../base/index.ts';

/** What a request says before its body. */
export interface RequestHead {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly url: string;
  /** By names in small letters. */
  readonly headers: IncomingHttpHeaders;
}

/** A head whose body is the bytes behind it, so many. */
export interface PlainHead extends RequestHead {
  readonly headBytes: number;
  readonly bodyBytes: number;
}

/**
 * Reads the head of a plain request: a POST of HTTP/1.1 with a host and a Content-Length, on a connection that stays, in
 * which nothing is said twice and nothing can be read in two ways. Whatever is not that, good or bad, is `other`, for
 * `node:http` knows about it (RFC 9112); `partial`: more bytes decide.
 */
export function readPlainHead(bytes: Buffer): PlainHead | 'partial' | 'other' {
  const end = bytes.indexOf('\r\n\r\n', 0, 'latin1');
  if (end < 0)
    return isBeginning(bytes) && bytes.length < limits.webHeadBytesMax ? 'partial' : 'other';
  if (end > limits.webHeadBytesMax) return 'other';
  const text = bytes.toString('latin1', 0, end + 2);
  const targetEnd = text.indexOf(' HTTP/1.1\r\n', method.length);
  if (!text.startsWith(method) || targetEnd < 0) return 'other';
  const url = text.slice(method.length, targetEnd);
  if (!isTarget.test(url)) return 'other';
  const headers = readHeaders(text, targetEnd + versionBytes);
  if (headers === undefined) return 'other';
  const length = headers['content-length'];
  if (length === undefined || !/^\d{1,12}$/.test(length)) return 'other';
  if (headers.host === undefined || !isPlain(headers)) return 'other';
  return { method: 'POST', url, headers, headBytes: end + 4, bodyBytes: Number(length) };
}

const method = 'POST ';
const versionBytes = ' HTTP/1.1\r\n'.length;
const isTarget = /^\/[\x21-\x7e]*$/;
const isToken = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const isOdd = /[^\t\x20-\x7e]/;

function isBeginning(bytes: Buffer): boolean {
  const compared = Math.min(bytes.length, method.length);
  return bytes.toString('latin1', 0, compared) === method.slice(0, compared);
}

/** Undefined for lines that are not `name: value`, each name once. */
function readHeaders(text: string, from: number): IncomingHttpHeaders | undefined {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let at = from; at < text.length; ) {
    const lineEnd = text.indexOf('\r\n', at);
    const colon = text.indexOf(':', at);
    if (colon < 0 || colon > lineEnd) return undefined;
    const name = text.slice(at, colon);
    // Spaces around a value are no part of it; other white space is odd.
    const value = text.slice(colon + 1, lineEnd);
    if (!isToken.test(name) || isOdd.test(value)) return undefined;
    const key = name.toLowerCase();
    if (headers[key] !== undefined) return undefined;
    headers[key] = value.trim();
    at = lineEnd + 2;
  }
  return headers;
}

/** Nothing is said of how the body is sent, or of the connection, but that it stays. */
function isPlain(headers: IncomingHttpHeaders): boolean {
  const { connection } = headers;
  return (
    headers['transfer-encoding'] === undefined &&
    headers.expect === undefined &&
    headers.upgrade === undefined &&
    (connection === undefined || connection.toLowerCase() === 'keep-alive')
  );
}
