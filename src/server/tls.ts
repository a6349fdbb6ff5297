import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { TlsOptions } from '../net/index.ts';
import { StartFailure } from './failure.ts';
import type { Settings } from './settings.ts';

/** Reads the files that the settings name; undefined for a door without TLS. Rejects with a StartFailure. */
export async function loadTls(
  settings: Settings,
  door: Settings['tls'][number],
): Promise<TlsOptions | undefined> {
  if (!settings.tls.includes(door)) return undefined;
  const { tlsCertificate, tlsKey, tlsAuthorities, tlsVerifyPeer } = settings;
  if (tlsCertificate === '' || tlsKey === '') {
    throw new StartFailure(
      `${door}: TLS wants a certificate and its key: set tlsCertificate and tlsKey to the paths of PEM files`,
    );
  }
  const options: TlsOptions = {
    certificate: await readPem('tlsCertificate', tlsCertificate),
    key: await readPem('tlsKey', tlsKey),
    authorities:
      tlsAuthorities === '' ? undefined : await readPem('tlsAuthorities', tlsAuthorities),
    verifyPeer: tlsVerifyPeer,
  };
  try {
    createSecureContext({ cert: options.certificate, key: options.key, ca: options.authorities });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartFailure(
      `${door}: the certificate ${tlsCertificate} and the key ${tlsKey} cannot be used: ${reason}`,
      1,
      { cause: error },
    );
  }
  return options;
}

async function readPem(key: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartFailure(`${key}: cannot read ${path}: ${reason}`, 1, { cause: error });
  }
}
