import fs from 'node:fs';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';

/** One way of making bytes durable in a file that is open already. */
export interface Way {
  /** Resolves when `bytes` at `position` would survive power loss. */
  write(position: number): Promise<void>;
  close(): Promise<void>;
}

export type OpenWay = (file: string, bytes: Uint8Array) => Promise<Way>;

const openFlags = fs.constants.O_RDWR | fs.constants.O_CREAT;

/** The reference: nothing else happens in the process while it waits. */
async function openHere(file: string, bytes: Uint8Array): Promise<Way> {
  const fd = fs.openSync(file, openFlags);
  return {
    write: async (position) => {
      fs.writeSync(fd, bytes, 0, bytes.length, position);
      fs.fdatasyncSync(fd);
    },
    close: async () => fs.closeSync(fd),
  };
}

function poolWrite(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.write(fd, bytes, 0, bytes.length, position, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** Two trips to the pool for each write. */
async function openPool(file: string, bytes: Uint8Array): Promise<Way> {
  const fd = fs.openSync(file, openFlags);
  return {
    write: (position) =>
      new Promise((resolve, reject) => {
        fs.write(fd, bytes, 0, bytes.length, position, (writeError) => {
          if (writeError !== null) return reject(writeError);
          fs.fdatasync(fd, (syncError) => {
            if (syncError === null) resolve();
            else reject(syncError);
          });
        });
      }),
    close: async () => fs.closeSync(fd),
  };
}

/** One trip to the pool: the write itself is synchronised. */
async function openPoolDsync(file: string, bytes: Uint8Array): Promise<Way> {
  const fd = fs.openSync(file, openFlags | fs.constants.O_DSYNC);
  return {
    write: (position) => poolWrite(fd, bytes, position),
    close: async () => fs.closeSync(fd),
  };
}

/** What the thread is given; see thread.ts. */
export interface ThreadTask {
  file: string;
  bytes: SharedArrayBuffer;
  /** [0]: how many writes were asked for, [1]: how many are done; positions arrive in `position`. */
  signal: SharedArrayBuffer;
  position: SharedArrayBuffer;
  isDsync: boolean;
  port: MessagePort | undefined;
}

async function startThread(task: ThreadTask): Promise<Worker> {
  // Node 20 does not pass tsx on to threads; this line loads it there.
  const load = `import('tsx/esm/api').then((tsx) => tsx.tsImport('./thread.ts', ${JSON.stringify(import.meta.url)}))`;
  const worker = new Worker(load, {
    eval: true,
    workerData: task,
    transferList: task.port === undefined ? [] : [task.port],
  });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
  return worker;
}

function shareBytes(bytes: Uint8Array): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(bytes.length);
  new Uint8Array(shared).set(bytes);
  return shared;
}

/** A thread that makes synchronous calls, told and answering by message. */
async function openThreadByMessage(file: string, bytes: Uint8Array): Promise<Way> {
  const { port1, port2 } = new MessageChannel();
  const worker = await startThread({
    file,
    bytes: shareBytes(bytes),
    signal: new SharedArrayBuffer(8),
    position: new SharedArrayBuffer(8),
    isDsync: false,
    port: port2,
  });
  let settle: (() => void) | undefined;
  port1.on('message', () => settle?.());
  return {
    write: (position) =>
      new Promise((resolve) => {
        settle = resolve;
        port1.postMessage(position);
      }),
    close: async () => {
      port1.close();
      await worker.terminate();
    },
  };
}

/** The same thread, asleep on shared memory instead of an event loop. */
function openThreadByAtomics(isDsync: boolean): OpenWay {
  return async (file, bytes) => {
    const signal = new SharedArrayBuffer(8);
    const position = new SharedArrayBuffer(8);
    const worker = await startThread({
      file,
      bytes: shareBytes(bytes),
      signal,
      position,
      isDsync,
      port: undefined,
    });
    const counts = new Int32Array(signal);
    const positions = new Float64Array(position);
    let asked = 0;
    return {
      write: async (at) => {
        positions[0] = at;
        Atomics.store(counts, 0, ++asked);
        Atomics.notify(counts, 0);
        const wait = Atomics.waitAsync(counts, 1, asked - 1);
        if (wait.async) await wait.value;
      },
      close: async () => {
        await worker.terminate();
      },
    };
  };
}

export const ways: Readonly<Record<string, OpenWay>> = {
  'main thread, blocking (reference)': openHere,
  'pool: write + fdatasync': openPool,
  'pool: write to O_DSYNC': openPoolDsync,
  'thread by messages: write + fdatasync': openThreadByMessage,
  'thread by atomics: write + fdatasync': openThreadByAtomics(false),
  'thread by atomics: write to O_DSYNC': openThreadByAtomics(true),
};
