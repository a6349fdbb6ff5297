import type { Log } from '../net/index.ts';
import type { Config } from './config.ts';
import { printAddress } from './kind.ts';
import type { Server } from './server.ts';
import type { Settings } from './settings.ts';

/** How long a shutdown waits for what is in flight. */
const graceMs = 10_000;

/**
 * Runs a server in the foreground: opens it, says that it is ready, and stops it at SIGTERM or SIGINT. Resolves once
 * it has stopped; the process may then exit with 0. Rejects with a StartFailure when it cannot start.
 */
export async function serve(config: Config): Promise<void> {
  const { settings } = config;
  const signal = waitForSignal();
  const [{ createLog }, { startServer }] = await Promise.all([
    import('./log.ts'),
    import('./server.ts'),
  ]);
  // A reader of the log that went away (`| head`) is no reason to stop.
  process.stdout.on('error', () => {});
  const log = await createLog(settings.log, settings.logLevel, process.stdout);
  for (const warning of config.warnings) log.warn({}, warning);
  // Whoever waits for the file must not find the one of an earlier run.
  if (settings.readyFile !== '') await removeReadyFile(settings.readyFile);
  const server = await startServer(settings, log);
  stopOnBug(log);
  // A signal that came meanwhile stops it before anybody was told that it is ready.
  if (!signal.hasCome()) {
    if (settings.readyFile !== '') await writeReadyFile(settings.readyFile, server);
    announce(server, settings, log);
  }
  const name = await signal.came;
  log.info({ signal: name }, 'stopping: answering what is in flight');
  process.once(name, () => {
    log.warn({}, 'stopped at once by a second signal; nothing acknowledged is lost');
    process.exit(1);
  });
  await server.stop(graceMs);
  log.info({}, 'stopped');
}

interface Signal {
  came: Promise<NodeJS.Signals>;
  hasCome(): boolean;
}

/** From here on, neither signal ends the process by itself. */
function waitForSignal(): Signal {
  let name: NodeJS.Signals | undefined;
  const came = new Promise<NodeJS.Signals>((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      name = signal;
      process.removeListener('SIGTERM', stop);
      process.removeListener('SIGINT', stop);
      resolve(signal);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
  return { came, hasCome: () => name !== undefined };
}

/** A bug in one place may have left wrong state in another: going on could do harm, restarting cannot. */
function stopOnBug(log: Log): void {
  const stop = (error: unknown): void => {
    log.error({ err: error }, 'stopped by a bug of the broker; nothing acknowledged is lost');
    process.exit(1);
  };
  process.on('uncaughtException', stop);
  process.on('unhandledRejection', stop);
}

async function removeReadyFile(path: string): Promise<void> {
  const { rm } = await import('node:fs/promises');
  await rm(path, { force: true });
}

/** Written whole or not at all: whoever waits for the file may read it as soon as it is there. */
async function writeReadyFile(path: string, server: Server): Promise<void> {
  const { rename, writeFile } = await import('node:fs/promises');
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(server.addresses)}\n`);
  await rename(draft, path);
}

function announce(server: Server, settings: Settings, log: Log): void {
  // Counted from the start of the process, or from where `npm start` had finished building.
  const startMs = performance.getEntriesByName('pabal-start')[0]?.startTime ?? 0;
  const readyMs = Math.round(performance.now() - startMs);
  if (settings.log === 'text' || (settings.log === 'auto' && process.stdout.isTTY)) {
    process.stdout.write(`${readyText(server, settings, readyMs)}\n`);
    return;
  }
  log.info(
    { doors: server.addresses, data: server.dataPath, sync: settings.sync, readyMs },
    'ready',
  );
}

function readyText(server: Server, settings: Settings, readyMs: number): string {
  const lines = [`Pabal is ready after ${readyMs} ms. Ctrl-C stops it.`];
  const doors = Object.keys(server.addresses);
  const width = Math.max(...doors.map((door) => door.length), 'data'.length) + 2;
  for (const [door, at] of Object.entries(server.addresses)) {
    const text = printAddress(at);
    lines.push(`  ${door.padEnd(width)}${door === 'admin' ? `http://${text}/` : text}`);
  }
  const data = 'data'.padEnd(width);
  const sync =
    settings.sync === 'always'
      ? 'on disk before it is acknowledged'
      : 'written by the operating system when it likes';
  lines.push(
    settings.store === 'memory'
      ? `  ${data}in memory: forgotten when it stops`
      : `  ${data}${server.dataPath} (${sync})`,
  );
  return lines.join('\n');
}
