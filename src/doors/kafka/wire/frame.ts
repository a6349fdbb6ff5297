import { ProtocolError } from '../../../base/index.ts';
import { ByteReader } from '../../../bytes/index.ts';
import { apis } from './apis.ts';
import { FrameWriter } from './frame-writer.ts';
import { MessageCodec } from './message-codec.ts';
import type { Api, InOf, OutOf } from './schema.ts';

export type ApiName = keyof typeof apis;
/** What decoding a request yields: every field, whatever the version. */
export type RequestOf<N extends ApiName> = OutOf<(typeof apis)[N]['request']>;
export type ResponseOf<N extends ApiName> = OutOf<(typeof apis)[N]['response']>;
/** What encoding takes: what has a default may be left out. */
export type RequestInput<N extends ApiName> = InOf<(typeof apis)[N]['request']>;
export type ResponseInput<N extends ApiName> = InOf<(typeof apis)[N]['response']>;

export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

export interface ApiKey<N extends ApiName = ApiName> {
  readonly key: number;
  readonly name: N;
  /** What the codec can read and write; what a broker offers is its own choice within it. */
  readonly versions: VersionRange;
  readonly flexibleSince: number | undefined;
  readonly request: MessageCodec<(typeof apis)[N]['request']>;
  readonly response: MessageCodec<(typeof apis)[N]['response']>;
}

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  /** Undefined for a key that is not ours: then only the fields above were read. */
  readonly api: ApiName | undefined;
  readonly clientId: string | null;
  /** Stands at the request's body. */
  readonly body: ByteReader;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `Object.keys` forgets which they are
export const apiNames = Object.keys(apis) as ApiName[];

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `Object.fromEntries` forgets them too
export const apiKeys = Object.fromEntries(
  apiNames.map((name) => [name, describeApi(name, apis[name])]),
) as unknown as { readonly [N in ApiName]: ApiKey<N> };

const namesByKey: readonly (ApiName | undefined)[] = Array.from(
  { length: Math.max(...apiNames.map((name) => apis[name].key)) + 1 },
  (_, key) => apiNames.find((name) => apis[name].key === key),
);

/**
 * Reads the header of a request frame, which comes without its length prefix.
 * The version is not judged: a version beyond ours is read with the header that the newest would have.
 */
export function decodeRequestHeader(frame: Uint8Array): RequestHeader {
  const body = new ByteReader(frame);
  const apiKey = body.int16();
  const apiVersion = body.int16();
  const correlationId = body.int32();
  const api = namesByKey[apiKey];
  if (api === undefined) return { apiKey, apiVersion, correlationId, api, clientId: null, body };
  const length = body.int16();
  if (length < -1) throw new ProtocolError(`A client id has a length of ${length}`);
  const clientId = length === -1 ? null : body.utf8(length);
  if (isFlexible(apiKeys[api], apiVersion)) skipTags(body);
  return { apiKey, apiVersion, correlationId, api, clientId, body };
}

/**
 * Reads a request's body; byte fields are borrowed from the frame. Bytes behind the last field are left unread, as
 * brokers have always done.
 */
export function decodeRequest<N extends ApiName>(
  api: N,
  version: number,
  reader: ByteReader,
): RequestOf<N> {
  return apiKeys[api].request.read(version, reader);
}

/**
 * A whole response frame with its length prefix, in slices. Record bytes are referred to, not copied: they must not
 * change until the frame has been written out.
 */
export function encodeResponse<N extends ApiName>(
  api: N,
  version: number,
  correlationId: number,
  body: ResponseInput<N>,
): Uint8Array[] {
  const writer = new FrameWriter(8);
  if (hasFlexibleResponseHeader(api, version)) writer.buffer[writer.position++] = 0;
  apiKeys[api].response.write(version, body, writer);
  writer.buffer.writeInt32BE(writer.length - 4, 0);
  writer.buffer.writeInt32BE(correlationId, 4);
  return writer.slices();
}

/** A whole request frame with its length prefix, in slices, as a client sends it. */
export function encodeRequest<N extends ApiName>(
  api: N,
  version: number,
  correlationId: number,
  clientId: string | null,
  body: RequestInput<N>,
): Uint8Array[] {
  const { key, request } = apiKeys[api];
  const clientIdBytes = clientId === null ? 0 : Buffer.byteLength(clientId);
  const writer = new FrameWriter(14);
  writer.grow(14, clientIdBytes + 1);
  const { buffer } = writer;
  if (clientId !== null) writer.position += buffer.write(clientId, 14);
  if (isFlexible(apiKeys[api], version)) buffer[writer.position++] = 0;
  request.write(version, body, writer);
  writer.buffer.writeInt32BE(writer.length - 4, 0);
  writer.buffer.writeInt16BE(key, 4);
  writer.buffer.writeInt16BE(version, 6);
  writer.buffer.writeInt32BE(correlationId, 8);
  writer.buffer.writeInt16BE(clientId === null ? -1 : clientIdBytes, 12);
  return writer.slices();
}

/** Reads a response frame, which comes without its length prefix, as a client does. */
export function decodeResponse<N extends ApiName>(
  api: N,
  version: number,
  frame: Uint8Array,
): { correlationId: number; body: ResponseOf<N> } {
  const reader = new ByteReader(frame);
  const correlationId = reader.int32();
  if (hasFlexibleResponseHeader(api, version)) skipTags(reader);
  const body = apiKeys[api].response.read(version, reader);
  if (reader.remaining > 0)
    throw new ProtocolError(`A response has ${reader.remaining} bytes more`);
  return { correlationId, body };
}

function describeApi(name: ApiName, api: Api) {
  const { key, versions, flexibleSince, request, response } = api;
  const options = { versions, flexibleSince };
  return {
    key,
    name,
    versions: { min: versions[0], max: versions[1] },
    flexibleSince,
    request: new MessageCodec(request, { ...options, name: `${name}Request` }),
    response: new MessageCodec(response, { ...options, name: `${name}Response` }),
  };
}

function isFlexible(api: Pick<ApiKey, 'flexibleSince'>, version: number): boolean {
  return api.flexibleSince !== undefined && version >= api.flexibleSince;
}

/** A client must be able to read the answer to ApiVersions before the two have agreed on anything (KIP-511). */
function hasFlexibleResponseHeader(api: ApiName, version: number): boolean {
  return api !== 'ApiVersions' && isFlexible(apiKeys[api], version);
}

function skipTags(reader: ByteReader): void {
  for (let count = reader.unsignedVarint(); count > 0; count--) {
    reader.unsignedVarint();
    reader.skip(reader.unsignedVarint());
  }
}
