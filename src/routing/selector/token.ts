import { invalidAt } from '../filter-error.ts';

export type Token =
  | { readonly kind: 'identifier'; readonly text: string; readonly at: number }
  | { readonly kind: 'keyword'; readonly text: Keyword; readonly at: number }
  | { readonly kind: 'string'; readonly text: string; readonly at: number }
  | {
      readonly kind: 'number';
      readonly value: number | bigint;
      /** It has a fraction, an exponent or a suffix that says so. */
      readonly isApproximate: boolean;
      readonly at: number;
    }
  | { readonly kind: 'symbol'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly at: number };

const keywords = [
  'AND',
  'BETWEEN',
  'ESCAPE',
  'FALSE',
  'IN',
  'IS',
  'LIKE',
  'NOT',
  'NULL',
  'OR',
  'TRUE',
] as const;
export type Keyword = (typeof keywords)[number];

const space = /[ \t\n\f\r]+/y;
/** Letters, digits, `_` and `$` as in Java; dots inside, so that names with levels need no quotes. */
const identifier = /[\p{L}\p{Nl}\p{Sc}\p{Pc}][\p{L}\p{Nl}\p{Sc}\p{Pc}\p{Nd}\p{Mn}\p{Mc}.]*/uy;
const approximate =
  /(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fFdD]?|[0-9]+(?:[eE][+-]?[0-9]+[fFdD]?|[fFdD])/y;
const exact = /(?:0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)[lL]?/y;
const symbol = /<>|<=|>=|!=|[=<>()+\-*/,]/y;

/** Splits a selector into its words. Throws filter-invalid. */
export function readTokens(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += take(space, text, at)?.length ?? 0;
    if (at >= text.length) break;
    const [token, length] = readToken(text, at);
    tokens.push(token);
    at += length;
  }
  tokens.push({ kind: 'end', at });
  return tokens;
}

function readToken(text: string, at: number): [token: Token, length: number] {
  const first = text[at];
  if (first === "'") {
    const quoted = readQuoted(text, at, first);
    return [{ kind: 'string', text: quoted.text, at }, quoted.length];
  }
  if (first === '"') {
    const quoted = readQuoted(text, at, first);
    if (quoted.text === '') throw invalidAt(at, 'a name in quotes is empty');
    return [{ kind: 'identifier', text: quoted.text, at }, quoted.length];
  }
  const word = take(identifier, text, at);
  if (word !== undefined) {
    const upper = word.toUpperCase();
    const keyword = keywords.find((one) => one === upper);
    return keyword === undefined
      ? [{ kind: 'identifier', text: word, at }, word.length]
      : [{ kind: 'keyword', text: keyword, at }, word.length];
  }
  const number = readNumber(text, at);
  if (number !== undefined) return number;
  const sign = take(symbol, text, at);
  if (sign === undefined) {
    throw invalidAt(at, `"${String.fromCodePoint(text.codePointAt(at) ?? 0)}" means nothing here`);
  }
  return [{ kind: 'symbol', text: sign, at }, sign.length];
}

/** Between quotes, which stand for one when there are two. */
function readQuoted(text: string, at: number, quote: string): { text: string; length: number } {
  let content = '';
  let from = at + 1;
  for (;;) {
    const end = text.indexOf(quote, from);
    if (end < 0) throw invalidAt(at, `the quote ${quote} is not closed`);
    content += text.slice(from, end);
    if (text[end + 1] !== quote) return { text: content, length: end + 1 - at };
    content += quote;
    from = end + 2;
  }
}

function readNumber(text: string, at: number): [token: Token, length: number] | undefined {
  const isHex = /^0[xX]/.test(text.slice(at, at + 2));
  const fraction = isHex ? undefined : take(approximate, text, at);
  const word = fraction ?? take(exact, text, at);
  if (word === undefined) return undefined;
  if (take(identifier, text, at + word.length) !== undefined) {
    throw invalidAt(at + word.length, 'a number ends with letters');
  }
  const value = fraction === undefined ? readInteger(word, at) : Number.parseFloat(fraction);
  return [{ kind: 'number', value, isApproximate: fraction !== undefined, at }, word.length];
}

function readInteger(word: string, at: number): number | bigint {
  const digits = word.replace(/[lL]$/, '');
  let value: bigint;
  if (/^0[xXbB]/.test(digits)) value = BigInt(digits.toLowerCase());
  else if (/^0[0-9]/.test(digits)) {
    if (/[89]/.test(digits)) throw invalidAt(at, `${digits} begins as an octal number does`);
    value = BigInt(`0o${digits.slice(1)}`);
  } else value = BigInt(digits);
  const isBits = /^0[xXbB0-9]/.test(digits);
  // In the other bases all 64 bits may be given; the decimal 2^63 is there for its negative.
  if (value > (isBits ? 0xffff_ffff_ffff_ffffn : 0x8000_0000_0000_0000n)) {
    throw invalidAt(at, `${word} has more than 64 bits`);
  }
  return narrow(isBits ? BigInt.asIntN(64, value) : value);
}

/** A number where it is exact. */
export function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function take(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}
