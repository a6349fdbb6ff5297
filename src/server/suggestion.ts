/** The word of `known` that `word` was most likely meant to be; undefined when none is near. */
export function findNearest(word: string, known: readonly string[]): string | undefined {
  const wanted = normalize(word);
  let nearest: string | undefined;
  // Two slips in a long word, one in a short one; more would be a guess.
  let least = wanted.length <= 4 ? 2 : 3;
  for (const candidate of known) {
    const distance = editDistance(wanted, normalize(candidate));
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** `: did you mean "x"?` or an empty text, to end an error message with. */
export function suggest(word: string, known: readonly string[]): string {
  const nearest = findNearest(word, known);
  return nearest === undefined ? '' : `; did you mean "${nearest}"?`;
}

/** `no-listen`, `no_listen` and `noListen` are one word to a person. */
function normalize(word: string): string {
  return word.toLowerCase().replaceAll(/[-_.]/g, '');
}

/** Levenshtein's distance: insertions, deletions and substitutions, one row at a time. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const insertion = (current[column - 1] ?? 0) + 1;
      const deletion = (previous[column] ?? 0) + 1;
      current.push(Math.min(substitution, insertion, deletion));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
