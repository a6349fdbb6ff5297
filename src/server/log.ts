import { printable } from '../base/index.ts';
import type { Log } from '../net/index.ts';

/** The part of a stream that a log needs. */
export interface LogSink {
  write(text: string): unknown;
  isTTY?: boolean;
}

/** A log in the form that `form` asks for, of `level` and above. */
export async function createLog(
  form: 'auto' | 'text' | 'json',
  level: 'debug' | 'info' | 'warn' | 'error',
  sink: LogSink,
): Promise<Log> {
  const { pino, stdTimeFunctions, stdSerializers } = await import('pino');
  const isText = form === 'text' || (form === 'auto' && sink.isTTY === true);
  const hasColour = isText && sink.isTTY === true && process.env['NO_COLOR'] === undefined;
  const log: Log = pino(
    {
      level,
      // One broker is one process on one host: neither belongs into every line.
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.err, error: stdSerializers.err },
    },
    isText
      ? { write: (line) => sink.write(textLine(line, hasColour)) }
      : { write: (line) => sink.write(line) },
  );
  return log;
}

const COLOURS: Record<string, string> = {
  debug: '\u001b[2m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
};

/** `12:34:56.789 warn  what happened  key=value`, and the stack of an error below it. */
function textLine(line: string, hasColour: boolean): string {
  const { level, time, msg, ...fields }: Record<string, unknown> = JSON.parse(line);
  const clock = String(time).slice(11, 23);
  let stack = '';
  const words: string[] = [];
  for (const [key, value] of Object.entries(fields)) {
    if (key === 'err' || key === 'error') {
      const { message, stack: trace } = isObject(value) ? value : { message: value, stack: '' };
      words.push(`error=${printable(JSON.stringify(message) ?? '')}`);
      if (level === 'error' && typeof trace === 'string')
        stack = trace
          .split('\n')
          .map((one) => `\n  ${printable(one)}`)
          .join('');
    } else {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      words.push(`${key}=${printable(text ?? '')}`);
    }
  }
  const text = [`${clock} ${String(level).padEnd(5)} ${printable(String(msg))}`, ...words].join(
    '  ',
  );
  const colour = hasColour ? COLOURS[String(level)] : undefined;
  return `${colour === undefined ? text : `${colour}${text}\u001b[0m`}${stack}\n`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
