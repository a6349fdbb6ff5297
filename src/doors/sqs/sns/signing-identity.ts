import {
  createHash,
  createPrivateKey,
  generateKeyPair,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { renderCertificate } from './certificate.ts';

/** Who signs, and the certificate by which others can tell. */
export interface SigningIdentity {
  readonly privateKey: KeyObject;
  /** PEM. */
  readonly certificate: string;
  /** Of the certificate: `SimpleNotificationService-….pem`. */
  readonly fileName: string;
}

const makeKeys = promisify(generateKeyPair);
const certificateBegins = '-----BEGIN CERTIFICATE-----';

export async function makeIdentity(nowMs: number): Promise<SigningIdentity> {
  const { privateKey, publicKey } = await makeKeys('rsa', { modulusLength: 2048 });
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return identityOf(privateKey, renderCertificate(der, privateKey, nowMs));
}

/** What `writeIdentity` left; undefined when nothing is there, or nothing that could be used. */
export async function readIdentity(
  file: string,
  nowMs: number,
): Promise<SigningIdentity | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const at = text.indexOf(certificateBegins);
  if (at < 0) return undefined;
  try {
    const privateKey = createPrivateKey(text.slice(0, at));
    const certificate = text.slice(at);
    const parsed = new X509Certificate(certificate);
    const isGood = parsed.checkPrivateKey(privateKey) && Date.parse(parsed.validTo) > nowMs;
    return isGood ? identityOf(privateKey, certificate) : undefined;
  } catch (cause) {
    // OpenSSL's errors are of no class of their own.
    if (cause instanceof Error && 'code' in cause) return undefined;
    throw cause;
  }
}

/** The private key and behind it the certificate, for the owner's eyes only; whole or not at all, also after a crash. */
export async function writeIdentity(file: string, identity: SigningIdentity): Promise<void> {
  const key = identity.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const temporary = `${file}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(`${key.toString()}${identity.certificate}`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  const directory = await open(path.dirname(file), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function identityOf(privateKey: KeyObject, certificate: string): SigningIdentity {
  const hash = createHash('sha256').update(certificate).digest('hex').slice(0, 32);
  return { privateKey, certificate, fileName: `SimpleNotificationService-${hash}.pem` };
}
