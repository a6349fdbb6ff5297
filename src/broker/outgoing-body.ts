import type { OutgoingMessage } from './ports/index.ts';

/** The body's parts and nothing else, where what they stand in holds more. */
export function bodyOf(message: OutgoingMessage): readonly Uint8Array[] {
  const { body, bodyAt = 0, bodyBytes } = message;
  const [only] = body;
  if (body.length !== 1 || only === undefined || only.length === bodyBytes) return body;
  return [only.subarray(bodyAt, bodyAt + bodyBytes)];
}
