import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { type Clock, limits, type Timer } from '../base/index.ts';
import type { Log, TlsFiles, TlsOptions } from '../net/index.ts';
import { StartFailure } from './failure.ts';
import type { Settings } from './settings.ts';

/**
 * The files of TLS: read when the first door wants them, and again when they have changed, so that a certificate can be
 * renewed while the server runs. Files that cannot be used change nothing: the last ones go on.
 */
export class TlsStore {
  readonly #settings: Settings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #watchers = new Set<(files: TlsFiles) => void>();
  #seen = '';
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(settings: Settings, clock: Clock, log: Log) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
  }

  /** Undefined for a door without TLS. Rejects with a StartFailure. */
  async load(door: Settings['tls'][number]): Promise<TlsOptions | undefined> {
    if (!this.#settings.tls.includes(door)) return undefined;
    const { tlsCertificate, tlsKey, tlsVerifyPeer } = this.#settings;
    if (tlsCertificate === '' || tlsKey === '') {
      throw new StartFailure(
        `${door}: TLS wants a certificate and its key: set tlsCertificate and tlsKey to the paths of PEM files`,
      );
    }
    if (this.#seen === '') this.#seen = await this.#look();
    const files = await readFiles(this.#settings, door);
    return {
      ...files,
      verifyPeer: tlsVerifyPeer,
      watch: (changed) => {
        this.#watchers.add(changed);
        this.#schedule();
        return () => void this.#watchers.delete(changed);
      },
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** Looks at the files now: resolves once whoever watches has what is new. */
  async check(): Promise<void> {
    const now = await this.#look();
    if (now === this.#seen) return;
    this.#seen = now;
    let files: TlsFiles;
    try {
      files = await readFiles(this.#settings, 'tls');
    } catch (error) {
      if (!(error instanceof StartFailure)) throw error;
      this.#log.error({ err: error }, 'changed files of TLS cannot be used; the last ones go on');
      return;
    }
    for (const changed of this.#watchers) changed(files);
    this.#log.info({ certificate: this.#settings.tlsCertificate }, 'files of TLS were read again');
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = this.#clock.setTimer(limits.tlsCheckMs, () => void this.#checkAndGoOn());
  }

  async #checkAndGoOn(): Promise<void> {
    await this.check();
    this.#timer = undefined;
    if (this.#watchers.size > 0) this.#schedule();
  }

  /** Changes whenever one of the files does. */
  async #look(): Promise<string> {
    const { tlsCertificate, tlsKey, tlsAuthorities } = this.#settings;
    const paths = [tlsCertificate, tlsKey, tlsAuthorities].filter((path) => path !== '');
    const looks = await Promise.all(
      paths.map(async (path) => {
        try {
          const { ino, size, mtimeMs } = await stat(path);
          return `${ino} ${size} ${mtimeMs}`;
        } catch {
          // Reading it says why.
          return 'unreadable';
        }
      }),
    );
    return looks.join(',');
  }
}

async function readFiles(
  { tlsCertificate, tlsKey, tlsAuthorities }: Settings,
  who: string,
): Promise<TlsFiles> {
  const files: TlsFiles = {
    certificate: await readPem('tlsCertificate', tlsCertificate),
    key: await readPem('tlsKey', tlsKey),
    authorities:
      tlsAuthorities === '' ? undefined : await readPem('tlsAuthorities', tlsAuthorities),
  };
  try {
    createSecureContext({ cert: files.certificate, key: files.key, ca: files.authorities });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartFailure(
      `${who}: the certificate ${tlsCertificate} and the key ${tlsKey} cannot be used: ${reason}`,
      1,
      { cause: error },
    );
  }
  return files;
}

async function readPem(key: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartFailure(`${key}: cannot read ${path}: ${reason}`, 1, { cause: error });
  }
}
