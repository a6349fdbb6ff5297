import { readFile } from 'node:fs/promises';
import { type Clock, limits } from '../base/index.ts';
import { KeySet, type Log, TokenVerifier } from '../net/index.ts';
import { StartFailure } from './failure.ts';
import type { Settings } from './settings.ts';

/**
 * Who checks tokens; undefined where none are believed. Rejects with a StartFailure when a file of keys is of no use; keys
 * behind a URL may come later, for their server may start later.
 */
export async function openTokens(
  settings: Settings,
  clock: Clock,
  log: Log,
): Promise<TokenVerifier | undefined> {
  const { tokenKeys, tokenIssuer, tokenAudience, tokenUserClaim } = settings;
  if (tokenKeys === '') return undefined;
  const isUrl = /^https?:/i.test(tokenKeys);
  const keys = new KeySet(
    isUrl ? () => download(tokenKeys) : () => readFile(tokenKeys, 'utf8'),
    clock,
    log,
  );
  try {
    await keys.open();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (!isUrl) {
      throw new StartFailure(`tokenKeys: ${tokenKeys}: ${reason}`, 1, { cause: error });
    }
    log.warn({ err: error, url: tokenKeys }, 'the keys of tokens cannot be read yet');
  }
  return new TokenVerifier(keys, clock, {
    issuer: tokenIssuer === '' ? undefined : tokenIssuer,
    audience: tokenAudience === '' ? undefined : tokenAudience,
    userClaim: tokenUserClaim,
  });
}

async function download(url: string): Promise<string> {
  const response = await fetch(url, {
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(limits.tokenKeysReadMs),
  });
  if (!response.ok) throw new Error(`${url} answers with status ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Not `text()`: whoever answers decides how long that becomes.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > limits.tokenKeysBytesMax) {
      throw new Error(`${url} has more than ${limits.tokenKeysBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
