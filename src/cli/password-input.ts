import { readFile } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import type { ReadStream } from 'node:tty';

/**
 * A password that is not on the command line, where other users of the machine could read it: the content of a file (`-`
 * for standard input) without its last line feed; or what somebody types, unseen; or the first line of a pipe.
 */
export async function readPassword(file: string | undefined): Promise<string> {
  const { stdin } = process;
  const password =
    file !== undefined && file !== '-'
      ? (await readFile(file, 'utf8')).replace(/\r?\n$/, '')
      : file === undefined && stdin.isTTY
        ? await ask(stdin)
        : await readFirstLine(stdin);
  if (password === '') {
    throw new Error('there is no password: type it, pipe it in, or name a --password-file');
  }
  return password;
}

async function readFirstLine(input: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of input) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return text.split(/\r?\n/, 1)[0] ?? '';
}

const enter = new Set(['\r', '\n', '\u0004']);
const erase = new Set(['\u007f', '\b']);
const interrupt = '\u0003';

function ask(input: ReadStream): Promise<string> {
  process.stderr.write('password: ');
  // Not the stream's own encoding: what is read after the password may be bytes.
  const decoder = new StringDecoder('utf8');
  input.setRawMode(true);
  input.resume();
  return new Promise((resolve, reject) => {
    const characters: string[] = [];
    const finish = (settle: () => void): void => {
      input.off('data', read);
      input.setRawMode(false);
      input.pause();
      process.stderr.write('\n');
      settle();
    };
    const read = (chunk: Buffer): void => {
      for (const character of decoder.write(chunk)) {
        if (enter.has(character)) return finish(() => resolve(characters.join('')));
        if (character === interrupt) return finish(() => reject(new Error('interrupted')));
        if (erase.has(character)) characters.pop();
        else characters.push(character);
      }
    };
    input.on('data', read);
  });
}
