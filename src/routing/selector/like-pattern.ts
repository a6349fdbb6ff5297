import { limits } from '../../base/index.ts';
import { invalidAt } from '../filter-error.ts';

/** A stretch of a pattern without `%`: texts, and between each two of them one `_`. */
type Piece = readonly string[];

/**
 * A LIKE pattern: `%` stands for any characters, `_` for one. Pieces between `%` are looked for from left to right, each
 * at its first place, so that a match never goes back further than one piece.
 */
export class LikePattern {
  readonly #pieces: readonly Piece[];

  /** `at` is where the pattern stands in its selector, for errors. */
  constructor(pattern: string, escape: string | undefined, at: number) {
    const pieces: string[][] = [['']];
    let wildcards = 0;
    for (let index = 0; index < pattern.length; index++) {
      const piece = pieces.at(-1) ?? [];
      let character = pattern[index] ?? '';
      if (character === escape) {
        index++;
        if (index === pattern.length) {
          throw invalidAt(at, 'the escape character stands at the end of the pattern');
        }
        character = pattern[index] ?? '';
      } else if (character === '%') {
        pieces.push(['']);
        wildcards++;
        continue;
      } else if (character === '_') {
        piece.push('');
        wildcards++;
        continue;
      }
      piece[piece.length - 1] += character;
    }
    if (wildcards > limits.filterWildcardsMax) {
      throw invalidAt(at, `a pattern has at most ${limits.filterWildcardsMax} wildcards`);
    }
    this.#pieces = pieces;
  }

  matches(text: string): boolean {
    const pieces = this.#pieces;
    let at = matchPiece(pieces[0] ?? [], text, 0);
    if (pieces.length === 1) return at === text.length;
    if (at < 0) return false;
    for (let index = 1; index < pieces.length - 1; index++) {
      at = findPiece(pieces[index] ?? [], text, at);
      if (at < 0) return false;
    }
    const start = matchPieceBefore(pieces.at(-1) ?? [], text);
    return start >= at;
  }
}

/** Where the piece ends that begins at `at`; −1 when it does not. */
function matchPiece(piece: Piece, text: string, at: number): number {
  let end = at;
  for (let index = 0; index < piece.length; index++) {
    if (index > 0) {
      if (end >= text.length) return -1;
      end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
    }
    const part = piece[index] ?? '';
    if (!text.startsWith(part, end)) return -1;
    end += part.length;
  }
  return end;
}

/** Where the piece begins that ends with the text; −1 when it does not. */
function matchPieceBefore(piece: Piece, text: string): number {
  let start = text.length;
  for (let index = piece.length - 1; index >= 0; index--) {
    const part = piece[index] ?? '';
    if (!text.endsWith(part, start)) return -1;
    start -= part.length;
    if (index > 0) {
      if (start <= 0) return -1;
      start -= start > 1 && (text.codePointAt(start - 2) ?? 0) > 0xffff ? 2 : 1;
    }
  }
  return start;
}

/** Where the first place of the piece at or behind `from` ends; −1 when there is none. */
function findPiece(piece: Piece, text: string, from: number): number {
  const first = piece[0] ?? '';
  if (piece.length === 1) {
    const at = text.indexOf(first, from);
    return at < 0 ? -1 : at + first.length;
  }
  for (let at = text.indexOf(first, from); at >= 0; at = text.indexOf(first, at + 1)) {
    const end = matchPiece(piece, text, at);
    if (end >= 0) return end;
    if (at >= text.length) break;
  }
  return -1;
}
