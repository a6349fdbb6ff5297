import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { SqsError } from './sqs-error.ts';

const skewMs = 5 * 60_000;
const algorithm = 'AWS4-HMAC-SHA256';
const actionHeader = 'x-amz-target';

export interface SignedRequest {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Claim {
  readonly accessKey: string;
  /** `DATE/REGION/SERVICE/aws4_request`. */
  readonly scope: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly time: string;
  readonly isPresigned: boolean;
  readonly expiresS: number;
}

/** The access key and the region that a request names, whether or not they are true. */
export function readCredential(
  headers: IncomingHttpHeaders,
  target: string,
): { accessKey: string; region: string } | undefined {
  const { authorization } = headers;
  const presigned = target.includes('X-Amz-Credential=')
    ? `Credential=${queryOf(target).get('X-Amz-Credential') ?? ''}`
    : '';
  const text = authorization ?? presigned;
  const match = /Credential=([^/,\s]{1,128})\/\d{8}\/([a-z0-9-]{1,64})\//.exec(text);
  return match === null ? undefined : { accessKey: match[1]!, region: match[2]! };
}

/** Checks Signature Version 4, in the header or in the query. Throws SqsError. */
export function checkSignature(
  request: SignedRequest,
  keys: ReadonlyMap<string, string>,
  nowMs: number,
): void {
  const claim = readClaim(request);
  // It says what is to be done: nobody else may add it to a request that was signed for something.
  if (request.headers[actionHeader] !== undefined && !claim.signedHeaders.includes(actionHeader)) {
    throw new SqsError(
      'IncompleteSignatureException',
      "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
    );
  }
  const secret = keys.get(claim.accessKey);
  if (secret === undefined) {
    throw new SqsError(
      'InvalidClientTokenIdException',
      'The security token included in the request is invalid.',
    );
  }
  checkTime(claim, nowMs);
  const expected = Buffer.from(sign(request, claim, secret));
  const given = Buffer.from(claim.signature);
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) {
    throw new SqsError(
      'SignatureDoesNotMatchException',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
}

function readClaim({ headers, target }: SignedRequest): Claim {
  const { authorization } = headers;
  if (authorization !== undefined) {
    const fields = new Map(
      authorization
        .slice(algorithm.length)
        .split(',')
        .map((field): [string, string] => {
          const equals = field.indexOf('=');
          return [field.slice(0, equals).trim(), field.slice(equals + 1).trim()];
        }),
    );
    const date = headers['x-amz-date'];
    return makeClaim(
      authorization.startsWith(`${algorithm} `),
      fields.get('Credential'),
      fields.get('SignedHeaders'),
      fields.get('Signature'),
      typeof date === 'string' ? date : undefined,
      undefined,
    );
  }
  const query = queryOf(target);
  if (!query.has('X-Amz-Signature')) {
    throw new SqsError(
      'MissingAuthenticationTokenException',
      'Request is missing Authentication Token',
    );
  }
  return makeClaim(
    query.get('X-Amz-Algorithm') === algorithm,
    query.get('X-Amz-Credential') ?? undefined,
    query.get('X-Amz-SignedHeaders') ?? undefined,
    query.get('X-Amz-Signature') ?? undefined,
    query.get('X-Amz-Date') ?? undefined,
    query.get('X-Amz-Expires') ?? '',
  );
}

function makeClaim(
  isKnown: boolean,
  credential: string | undefined,
  signedHeaders: string | undefined,
  signature: string | undefined,
  time: string | undefined,
  expires: string | undefined,
): Claim {
  const slash = credential?.indexOf('/') ?? -1;
  const scope = credential?.slice(slash + 1) ?? '';
  const isComplete =
    isKnown &&
    slash > 0 &&
    /^\d{8}\/[^/]+\/[^/]+\/aws4_request$/.test(scope) &&
    signedHeaders !== undefined &&
    signature !== undefined &&
    /^\d{8}T\d{6}Z$/.test(time ?? '') &&
    scope.startsWith((time ?? '').slice(0, 8)) &&
    (expires === undefined || /^\d{1,6}$/.test(expires));
  const names = signedHeaders?.split(';') ?? [];
  if (!isComplete || !names.includes('host')) {
    throw new SqsError(
      'IncompleteSignatureException',
      "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters, and either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  return {
    accessKey: credential!.slice(0, slash),
    scope,
    signedHeaders: names,
    signature: signature,
    time: time!,
    isPresigned: expires !== undefined,
    expiresS: Number(expires ?? 0),
  };
}

function checkTime(claim: Claim, nowMs: number): void {
  const { time } = claim;
  const signedMs = Date.UTC(
    Number(time.slice(0, 4)),
    Number(time.slice(4, 6)) - 1,
    Number(time.slice(6, 8)),
    Number(time.slice(9, 11)),
    Number(time.slice(11, 13)),
    Number(time.slice(13, 15)),
  );
  const lastMs = signedMs + (claim.isPresigned ? claim.expiresS * 1000 : skewMs);
  if (nowMs <= lastMs && nowMs >= signedMs - skewMs) return;
  if (claim.isPresigned && nowMs > lastMs) {
    throw new SqsError('RequestExpiredException', 'Request has expired.');
  }
  const relation = nowMs > lastMs ? 'expired' : 'not yet current';
  throw new SqsError(
    'SignatureDoesNotMatchException',
    `Signature ${relation}: ${time} is now more than 5 min. away from ${stamp(nowMs)}`,
  );
}

function stamp(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
}

function sign(request: SignedRequest, claim: Claim, secret: string): string {
  const [date, region, service] = claim.scope.split('/');
  const text = [algorithm, claim.time, claim.scope, sha256(canonicalRequest(request, claim))].join(
    '\n',
  );
  let key: Buffer | string = `AWS4${secret}`;
  for (const part of [date!, region!, service!, 'aws4_request', text]) {
    key = createHmac('sha256', key).update(part).digest();
  }
  return key.toString('hex');
}

function canonicalRequest({ method, target, headers, body }: SignedRequest, claim: Claim): string {
  const queryAt = target.indexOf('?');
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  const pairs: string[][] = [];
  for (const [name, value] of queryOf(target)) {
    if (name !== 'X-Amz-Signature') pairs.push([encode(name), encode(value)]);
  }
  pairs.sort(([a, x], [b, y]) => (a! < b! ? -1 : a! > b! ? 1 : x! < y! ? -1 : 1));
  const lines = claim.signedHeaders.map((name) => {
    const value = headers[name];
    const text = Array.isArray(value) ? value.join(',') : (value ?? '');
    return `${name}:${text.trim().replaceAll(/ +/g, ' ')}\n`;
  });
  return [
    method,
    path.split('/').map(encode).join('/') || '/',
    pairs.map(([name, value]) => `${name}=${value}`).join('&'),
    lines.join(''),
    claim.signedHeaders.join(';'),
    // What the caller says of its body's hash is not believed.
    sha256(body),
  ].join('\n');
}

function queryOf(target: string): URLSearchParams {
  const at = target.indexOf('?');
  // A plus is a plus here, not a space.
  return new URLSearchParams(at < 0 ? '' : target.slice(at + 1).replaceAll('+', '%2B'));
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
