import fs from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadTask } from './ways.ts';

// A cast: the only one who starts this thread is ways.ts.
const task = workerData as ThreadTask;
const bytes = new Uint8Array(task.bytes);
const dsync = task.isDsync ? fs.constants.O_DSYNC : 0;
const fd = fs.openSync(task.file, fs.constants.O_RDWR | fs.constants.O_CREAT | dsync);

function write(position: number): void {
  fs.writeSync(fd, bytes, 0, bytes.length, position);
  if (!task.isDsync) fs.fdatasyncSync(fd);
}

parentPort!.postMessage('ready');

if (task.port === undefined) {
  const counts = new Int32Array(task.signal);
  const positions = new Float64Array(task.position);
  for (let done = 0; ; ) {
    Atomics.wait(counts, 0, done);
    write(positions[0]!);
    done += 1;
    Atomics.store(counts, 1, done);
    Atomics.notify(counts, 1);
  }
} else {
  const { port } = task;
  port.on('message', (position: number) => {
    write(position);
    port.postMessage(0);
  });
}
