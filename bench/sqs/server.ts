import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findFreePort, pabalSubject, startProcess, type Subject } from '../server-process.ts';
import { elasticmqClassPath, motoServer } from './peers.ts';

// What it is answered does not matter: a refusal is a sign of life, too.
const probe = Buffer.from('GET /?Action=ListQueues HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', 'latin1');

export const pabal: Subject = pabalSubject('sqs', probe);

/** As it starts by default, in memory, but for its place; and it may have more than 1,024 connections. */
export const elasticmq: Subject = {
  name: 'elasticmq',
  start: async (directory) => {
    mkdirSync(directory, { recursive: true });
    const port = await findFreePort();
    const configuration = path.resolve(directory, 'elasticmq.conf');
    writeFileSync(
      configuration,
      `include classpath("application.conf")
       node-address { protocol = http, host = "127.0.0.1", port = ${port}, context-path = "" }
       rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = ${port}, sqs-limits = strict }
       rest-stats { enabled = false }
       pekko.http.server { max-connections = 8192, backlog = 1024 }
      `,
    );
    return startProcess({
      subject: 'elasticmq',
      command: [
        ...['java', `-Dconfig.file=${configuration}`],
        ...['-cp', elasticmqClassPath, 'org.elasticmq.server.Main'],
      ],
      logFile: path.join(directory, 'server.log'),
      findPort: () => port,
      probe,
    });
  },
};

export const moto: Subject = {
  name: 'moto',
  start: async (directory) => {
    mkdirSync(directory, { recursive: true });
    const port = await findFreePort();
    return startProcess({
      subject: 'moto',
      command: [motoServer, '-H', '127.0.0.1', '-p', String(port)],
      logFile: path.join(directory, 'server.log'),
      findPort: () => port,
      probe,
    });
  },
};
