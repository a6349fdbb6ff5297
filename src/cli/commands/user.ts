import { Command } from 'commander';
import { addAdminFlag, AdminClient } from '../admin-client.ts';
import { asObjects, printJson } from '../json.ts';
import { readPassword } from '../password-input.ts';
import { printTable } from '../table.ts';

type Flags = Readonly<Record<string, unknown>>;

/** `pabal user add|list|delete|password|permit`. */
export function userCommand(): Command {
  return new Command('user')
    .description('add, list and delete users, and say what they may do')
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(deleteCommand())
    .addCommand(passwordCommand())
    .addCommand(permitCommand());
}

function addCommand(): Command {
  const command = new Command('add')
    .description('add a user; the password is asked for, or read from standard input')
    .argument('<user>')
    .option('--tag <tag>', 'administrator, monitoring, ...; may be repeated', collect)
    .option('--password-file <file>', 'read the password from a file')
    .option('--without-password', 'nobody logs in as this user with a password');
  return addAdminFlag(command).action(async (name: string, flags: Flags) => {
    const client = new AdminClient(flags);
    const password = flags['withoutPassword'] === true ? {} : { password: await given(flags) };
    await client.call('POST', '/api/v1/users', { name, tags: flags['tag'] ?? [], ...password });
    process.stdout.write(`added ${name}; say what it may do with: pabal user permit ${name}\n`);
  });
}

function listCommand(): Command {
  const command = new Command('list')
    .description('list all users and what they may do')
    .option('--json', 'print JSON');
  return addAdminFlag(command).action(async (flags: Flags) => {
    const users = asObjects((await new AdminClient(flags).call('GET', '/api/v1/users'))['users']);
    if (flags['json'] === true) return printJson(users);
    const rows = users.flatMap((user) => {
      const name = String(user['name']);
      const tags = Array.isArray(user['tags']) ? user['tags'].join(',') : '';
      const permissions = asObjects(user['permissions']);
      if (permissions.length === 0) return [[name, tags, '-', '', '', '']];
      return permissions.map(({ namespace, configure, write, read }) =>
        [name, tags, namespace === '' ? '/' : namespace, configure, write, read].map(String),
      );
    });
    printTable(['USER', 'TAGS', 'NAMESPACE', 'CONFIGURE', 'WRITE', 'READ'], rows);
  });
}

function deleteCommand(): Command {
  const command = new Command('delete')
    .description('delete users with their permissions')
    .argument('<user...>');
  return addAdminFlag(command).action(async (names: readonly string[], flags: Flags) => {
    const client = new AdminClient(flags);
    for (const name of names) {
      await client.call('DELETE', pathOf(name));
      process.stdout.write(`deleted ${name}\n`);
    }
  });
}

function passwordCommand(): Command {
  const command = new Command('password')
    .description('give a user a new password; it is asked for, or read from standard input')
    .argument('<user>')
    .option('--password-file <file>', 'read the password from a file');
  return addAdminFlag(command).action(async (name: string, flags: Flags) => {
    const client = new AdminClient(flags);
    await client.call('PATCH', pathOf(name), { password: await given(flags) });
    process.stdout.write(`changed the password of ${name}\n`);
  });
}

function permitCommand(): Command {
  const command = new Command('permit')
    .description(
      'say what a user may do in a namespace: patterns over the names of queues and exchanges; all three are .* when none is given',
    )
    .argument('<user>')
    .option('--namespace <name>', 'default: the default namespace', '/')
    .option('--configure <pattern>', 'what it may declare and delete')
    .option('--write <pattern>', 'what it may publish to')
    .option('--read <pattern>', 'what it may consume from')
    .option('--nothing', 'take the namespace away');
  return addAdminFlag(command).action(async (name: string, flags: Flags) => {
    const client = new AdminClient(flags);
    // As other brokers and their tools write the default namespace.
    const namespace = flags['namespace'] === '/' ? '' : String(flags['namespace']);
    const path = `${pathOf(name)}/permissions`;
    if (flags['nothing'] === true) {
      await client.call('DELETE', `${path}?namespace=${encodeURIComponent(namespace)}`);
      process.stdout.write(`${name} may do nothing in ${namespace === '' ? '/' : namespace}\n`);
      return;
    }
    const kinds = ['configure', 'write', 'read'] as const;
    const isAll = kinds.every((kind) => flags[kind] === undefined);
    const patterns = kinds.map((kind): readonly [string, string] => {
      const pattern = flags[kind];
      return [kind, typeof pattern === 'string' ? pattern : isAll ? '.*' : ''];
    });
    await client.call('POST', path, { namespace, ...Object.fromEntries(patterns) });
    const shown = patterns.map(([kind, pattern]) => `${kind} "${pattern}"`).join(', ');
    process.stdout.write(`${name} in ${namespace === '' ? '/' : namespace}: ${shown}\n`);
  });
}

function given(flags: Flags): Promise<string> {
  const file = flags['passwordFile'];
  return readPassword(typeof file === 'string' ? file : undefined);
}

function pathOf(name: string): string {
  return `/api/v1/users/${encodeURIComponent(name)}`;
}

function collect(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text];
}
