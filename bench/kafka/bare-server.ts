/**
 * The least that a durable broker in Node can do: it takes a Produce request of version 9 from one client at a time,
 * writes as many bytes through libuv's pool to a file opened with O_DSYNC, and sends a fixed answer. What it takes is
 * what sockets, Node and the disk take; the rest of a broker's latency is the broker's own.
 *
 *   bare-server.ts FILE TOPIC     prints its port
 */
import fs from 'node:fs';
import net from 'node:net';

const [file, topic] = process.argv.slice(2);
const fileBytes = 128 * 1024 * 1024;
const sectorBytes = 512;
const fd = fs.openSync(
  file!,
  fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC | fs.constants.O_DSYNC,
);
fs.ftruncateSync(fd, fileBytes);

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

/** One topic, one partition, no error; the correlation id follows the length. */
function makeAnswer(): Buffer {
  const name = Buffer.from(topic!);
  const body = Buffer.concat([
    // Correlation id, no tags; one topic, its name; one partition, index 0, error 0.
    Buffer.from([0, 0, 0, 1, 0, 2, name.length + 1]),
    name,
    Buffer.from([2, 0, 0, 0, 0, 0, 0]),
    ...[int64(0n), int64(-1n), int64(0n)],
    // No record errors, no message, no tags of partition and topic; throttle time 0, no tags.
    Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0]),
  ]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

const answer = makeAnswer();
let position = 0;

const server = net.createServer({ noDelay: true }, (socket) => {
  let pending: Buffer = Buffer.alloc(0);
  socket.on('data', (data) => {
    pending = pending.length === 0 ? data : Buffer.concat([pending, data]);
    if (pending.length < 4 || pending.length < 4 + pending.readInt32BE(0)) return;
    const bytes = Buffer.alloc(Math.ceil(pending.length / sectorBytes) * sectorBytes);
    pending.copy(bytes);
    pending = Buffer.alloc(0);
    fs.write(fd, bytes, 0, bytes.length, position, (error) => {
      if (error !== null) throw error;
      socket.write(answer);
    });
    position = (position + bytes.length) % (fileBytes - (1 << 20));
  });
  socket.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' && address !== null ? address.port : '');
});
