/**
 * A text in which nothing ends a line or speaks to the terminal: C0, DEL, C1 and Unicode's ends of lines are written as escapes.
 * Names and reasons come from peers.
 */
export function printable(text: string): string {
  return text.replaceAll(control, (one) =>
    one === '\n' ? '\\n' : `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const control = /[\p{Cc}\u2028\u2029]/gu;
