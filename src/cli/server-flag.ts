import type { Command } from 'commander';
import type { LogClient } from '../client/index.ts';
import { address, StartFailure, ValueError } from '../server/index.ts';

/** Gives a command the flag that names the server. */
export function addServerFlag(command: Command): Command {
  return command.option(
    '--server <host:port>',
    'kafka door of the server (or PABAL_SERVER)',
    process.env['PABAL_SERVER'] ?? '127.0.0.1:9092',
  );
}

/** Runs `use` with a client of the server that the flag names, and closes it. */
export async function withClient<T>(
  options: Readonly<Record<string, unknown>>,
  use: (client: LogClient) => Promise<T>,
): Promise<T> {
  const server = readServer(String(options['server']));
  // Loaded only by the commands that talk to a server.
  const { LogClient } = await import('../client/index.ts');
  const client = await LogClient.connect({ server, clientId: 'pabal-cli' });
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
