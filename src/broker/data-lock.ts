import { createServer, connect, type Server } from 'node:net';
import { createHash } from 'node:crypto';
import { open, realpath, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SystemClock } from '../base/index.ts';

/** Socket paths are short (108 bytes on Linux). */
const socketPathBytesMax = 90;
/** An owner that does not answer for this long is there all the same. */
const answerMsMax = 1000;

async function noRelease(): Promise<void> {}

/**
 * Keeps a data directory to one process: a socket in the directory that its owner listens on. The system closes it with
 * the process, so that no lock outlives a crash, and it is seen across containers that share the directory.
 */
export class DataLock {
  readonly #server: Server;
  readonly #release: () => Promise<void>;

  /** Rejects with an Error that names the process when the directory is in use. */
  static async take(directory: string): Promise<DataLock> {
    const place = await socketPlace(directory);
    for (let attempt = 0; attempt < 3; attempt++) {
      const server = await listen(place.path);
      if (server !== undefined) return new DataLock(server, place.release);
      const owner = await askOwner(place.path);
      if (owner !== undefined) {
        await place.release();
        throw new Error(`the data directory ${directory} is in use by process ${owner}`);
      }
      // Nobody listens: it was left behind by a process that was killed.
      await removeStale(place, directory);
    }
    await place.release();
    throw new Error(`the data directory ${directory} is being taken by another process`);
  }

  private constructor(server: Server, release: () => Promise<void>) {
    this.#server = server;
    this.#release = release;
  }

  /** Lets another process have the directory. */
  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#release();
  }
}

/** The process that uses a data directory; undefined when none does. Changes nothing there. */
export async function findDataOwner(directory: string): Promise<string | undefined> {
  const place = await socketPlace(directory);
  try {
    return await askOwner(place.path);
  } finally {
    await place.release();
  }
}

interface SocketPlace {
  /** What to listen on and connect to. */
  path: string;
  /** The socket's file. */
  file: string;
  release: () => Promise<void>;
}

async function socketPlace(directory: string): Promise<SocketPlace> {
  const real = await realpath(directory);
  const file = join(real, 'lock.sock');
  if (process.platform === 'win32') {
    const name = createHash('sha256').update(real.toLowerCase()).digest('hex').slice(0, 32);
    return { path: `\\\\.\\pipe\\pabal-${name}`, file, release: noRelease };
  }
  if (Buffer.byteLength(file) <= socketPathBytesMax)
    return { path: file, file, release: noRelease };
  if (process.platform !== 'linux') {
    throw new Error(`the path of the data directory is too long: ${real}`);
  }
  // A directory's handle gives it a short name.
  const handle = await open(real, 'r');
  return { path: `/proc/self/fd/${handle.fd}/lock.sock`, file, release: () => handle.close() };
}

/**
 * Another process may take the place over between our look and the removal: the socket is first moved aside, which only
 * one process can do, and removed only when nobody listens on what was moved.
 */
async function removeStale(place: SocketPlace, directory: string): Promise<void> {
  const suffix = `.${process.pid}`;
  try {
    await rename(place.file, place.file + suffix);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
  const owner = await askOwner(place.path + suffix);
  if (owner === undefined) return rm(place.file + suffix, { force: true });
  await rename(place.file + suffix, place.file);
  throw new Error(`the data directory ${directory} is in use by process ${owner}`);
}

/** Undefined when the place is taken, by a process or by what one left behind. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(`${process.pid}\n`);
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** The owner's process id, or "unknown" when it is too busy to tell; undefined when nobody listens. */
function askOwner(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let answer = '';
    const deadline = new SystemClock().setTimer(answerMsMax, () => {
      socket.destroy();
      resolve('unknown');
    });
    socket.on('close', () => deadline.cancel());
    socket.on('data', (data) => {
      answer += data.toString('utf8');
    });
    socket.on('end', () => resolve(answer.trim() || 'unknown'));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(undefined);
      else resolve('unknown');
    });
  });
}
