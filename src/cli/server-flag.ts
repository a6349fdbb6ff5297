import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { Login, LogClient, TlsOptions } from '../client/index.ts';
import { address, StartFailure, ValueError } from '../server/index.ts';
import { readPassword } from './password-input.ts';

type Flags = Readonly<Record<string, unknown>>;

const mechanisms = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'] as const satisfies ReadonlyArray<
  Login['mechanism']
>;

/** Gives a command the flags that name the server, and who talks to it. */
export function addServerFlag(command: Command): Command {
  return command
    .option(
      '--server <host:port>',
      'kafka door of the server (or PABAL_SERVER)',
      process.env['PABAL_SERVER'] ?? '127.0.0.1:9092',
    )
    .option('--tls', 'speak TLS')
    .option('--tls-ca <file>', 'who signs the certificate of the server, PEM; implies --tls')
    .option('--user <name>', 'log in; the password is asked for')
    .option('--password-file <file>', 'read the password from a file')
    .addOption(
      new Option('--mechanism <name>', 'how to log in').choices(mechanisms).default(mechanisms[0]),
    );
}

/** Runs `use` with a client of the server that the flags name, and closes it. */
export async function withClient<T>(
  options: Flags,
  use: (client: LogClient) => Promise<T>,
): Promise<T> {
  const server = readServer(String(options['server']));
  const tls = await readTls(options);
  const login = await readLogin(options);
  // Loaded only by the commands that talk to a server.
  const { LogClient } = await import('../client/index.ts');
  const client = await LogClient.connect({ server, clientId: 'pabal-cli', tls, login });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

function readServer(text: string) {
  try {
    return address(1).parse(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new StartFailure(`--server: ${error.message}, not "${text}"`, 1, { cause: error });
  }
}

async function readTls(flags: Flags): Promise<TlsOptions | undefined> {
  const file = flags['tlsCa'];
  if (typeof file === 'string') return { authorities: await readFile(file) };
  return flags['tls'] === true ? {} : undefined;
}

async function readLogin(flags: Flags): Promise<Login | undefined> {
  const { user, passwordFile: file } = flags;
  if (typeof user !== 'string') {
    if (file === undefined) return undefined;
    throw new StartFailure('--password-file: whose? Name a --user', 1);
  }
  // Standard input is for messages.
  if (file === '-' || (typeof file !== 'string' && !process.stdin.isTTY)) {
    throw new StartFailure('--user: nobody can be asked here: name a --password-file', 1);
  }
  const mechanism = mechanisms.find((name) => name === flags['mechanism']) ?? mechanisms[0];
  return {
    mechanism,
    user,
    password: await readPassword(typeof file === 'string' ? file : undefined),
  };
}
