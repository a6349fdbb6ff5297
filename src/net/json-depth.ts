/**
 * Whether lists and objects are inside each other more than `depthMax` times in a JSON text. Parsing takes any depth, but what
 * goes through the value afterwards calls itself for each level, and would run out of stack.
 */
export function isNestedDeeper(text: string, depthMax: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfString(text, at);
      if (at < 0) return false;
    } else if (code === openList || code === openObject) {
      depth++;
      if (depth > depthMax) return true;
    } else if (code === closeList || code === closeObject) depth--;
  }
  return false;
}

/** Of its closing quote, for a string that begins at `at`; −1: it has none. */
function endOfString(text: string, at: number): number {
  let end = text.indexOf('"', at + 1);
  while (end >= 0) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return -1;
}

const quote = 0x22;
const backslash = 0x5c;
const openList = 0x5b;
const closeList = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;
