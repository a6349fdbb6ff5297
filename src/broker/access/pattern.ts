import { BrokerError, limits } from '../../base/index.ts';
import { TopicPattern } from '../../shard/index.ts';

/*
 * Patterns are regular expressions of users, so that they may be wrong, and written for another engine than this one. As a
 * rule one becomes an automaton, whose time grows with the length of the name times that of the pattern. What the automaton
 * does not know (such as looking ahead) is left to the engine, which backtracks: it may repeat so little that this takes
 * little time.
 */

export interface CompiledPattern {
  test(name: string): boolean;
}

/** Compiles a pattern; it matches anywhere in a name unless it says `^` and `$`. Throws config-invalid. */
export function compilePattern(pattern: string): CompiledPattern {
  if (pattern.length > limits.patternCharsMax) {
    throw refused(pattern, `it has more than ${limits.patternCharsMax} characters`);
  }
  const { source, flags } = translate(pattern);
  let expression: RegExp;
  try {
    expression = new RegExp(source, flags);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw refused(pattern, error.message);
  }
  const danger = findDanger(source);
  if (danger !== undefined) throw refused(pattern, danger);
  const automaton = findAutomaton(source, flags);
  if (automaton !== undefined) return automaton;
  const delay = findDanger(source, true);
  if (delay !== undefined) throw refused(pattern, delay);
  return expression;
}

/** Undefined for what the automaton does not know, and what would make it too large. */
function findAutomaton(source: string, flags: string): CompiledPattern | undefined {
  if (flags.includes('s')) return undefined;
  try {
    const automaton = new TopicPattern(flags.includes('i') ? `(?i)${source}` : source);
    return { test: (name) => automaton.isIn(name) };
  } catch (error) {
    if (error instanceof BrokerError) return undefined;
    throw error;
  }
}

/** A text as a pattern that matches it and nothing else. */
export function escapePattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}

/** Compiled patterns and what they answered, remembered. */
export class PatternCache {
  readonly #patterns = new Map<
    string,
    { expression: CompiledPattern; answers: Map<string, boolean> }
  >();
  #answerCount = 0;

  /** '' matches nothing; neither does a pattern that cannot be compiled, which is found when it is stored. */
  matches(pattern: string, name: string): boolean {
    if (pattern === '') return false;
    if (pattern === '.*') return true;
    let entry = this.#patterns.get(pattern);
    if (entry === undefined) {
      if (this.#patterns.size >= limits.patternsCompiledMax) this.clear();
      entry = { expression: compileOrNothing(pattern), answers: new Map() };
      this.#patterns.set(pattern, entry);
    }
    const known = entry.answers.get(name);
    if (known !== undefined) return known;
    const answer = entry.expression.test(name);
    if (this.#answerCount >= limits.patternAnswersMax) {
      for (const { answers } of this.#patterns.values()) answers.clear();
      this.#answerCount = 0;
    }
    entry.answers.set(name, answer);
    this.#answerCount++;
    return answer;
  }

  clear(): void {
    this.#patterns.clear();
    this.#answerCount = 0;
  }
}

const nothing: CompiledPattern = { test: () => false };

function compileOrNothing(pattern: string): CompiledPattern {
  try {
    return compilePattern(pattern);
  } catch (error) {
    if (error instanceof BrokerError) return nothing;
    throw error;
  }
}

function refused(pattern: string, reason: string): BrokerError {
  const shown = pattern.length > 80 ? `${pattern.slice(0, 80)}...` : pattern;
  return new BrokerError('config-invalid', `the pattern "${shown}" cannot be used: ${reason}`);
}

/** The few words of PCRE that people use in such patterns and this engine writes differently. */
function translate(pattern: string): { source: string; flags: string } {
  const inline = /^\(\?([is]+)\)/.exec(pattern);
  const source = pattern
    .slice(inline?.[0].length ?? 0)
    .replaceAll(/\\(?:[AzZ]|.)|\(\?P</gs, (token) => {
      if (token === String.raw`\A`) return '^';
      if (token === String.raw`\z` || token === String.raw`\Z`) return '$';
      return token === '(?P<' ? '(?<' : token;
    });
  return { source, flags: [...new Set(inline?.[1] ?? '')].join('') };
}

interface Group {
  /** Something in it repeats without end, or one way of matching it can be another one's beginning. */
  isAmbiguous: boolean;
  /** What each alternative begins with; undefined: not a plain character. */
  beginnings: Array<string | undefined>;
}

/** For an engine that backtracks: each repetition multiplies the time by the length of the name. */
const repeatsMax = 3;

/**
 * Why an expression may take exponential time; undefined when it has none of the forms that do. `isStrict`: nor any that takes
 * the engine more than a moment.
 */
function findDanger(source: string, isStrict = false): string | undefined {
  let repeats = 0;
  const groups: Group[] = [newGroup()];
  /** The group that has just ended; undefined: something else has. */
  let ended: Group | undefined;
  for (let index = 0; index < source.length; index++) {
    const group = groups.at(-1)!;
    const character = source[index]!;
    const repeat = repeatAt(source, index);
    if (repeat !== undefined) {
      repeats++;
      if (isStrict && repeats > repeatsMax)
        return `it repeats more than ${repeatsMax} times beside what is not understood without backtracking`;
      if (repeat.isEndless || isStrict) {
        if (ended?.isAmbiguous === true) return 'what it repeats can match one text in many ways';
        group.isAmbiguous = true;
      }
      index += repeat.length - 1;
      ended = undefined;
      continue;
    }
    ended = undefined;
    if (character === '(') {
      begin(group, undefined);
      groups.push(newGroup());
      index += /^\(\?(?:[:=!]|<[=!]|<\w+>)/.exec(source.slice(index, index + 100))?.[0].length ?? 1;
      index--;
    } else if (character === ')') {
      ended = groups.length > 1 ? groups.pop()! : group;
      if (hasSharedBeginning(ended)) ended.isAmbiguous = true;
      // What is inside also counts for what is around it.
      if (ended.isAmbiguous) groups.at(-1)!.isAmbiguous = true;
    } else if (character === '|') {
      group.beginnings.push(undefined);
      group.beginnings[group.beginnings.length - 1] = pending;
    } else if (character === '[') {
      begin(group, undefined);
      index = endOfClass(source, index);
    } else if (character === '\\') {
      const next = source[index + 1] ?? '';
      if (/[1-9k]/.test(next)) return 'it refers back to a group';
      begin(group, /\W/.test(next) ? next : undefined);
      index++;
    } else {
      begin(
        group,
        character === '.' || character === '^' || character === '$' ? undefined : character,
      );
    }
  }
  return undefined;
}

/** The place of an alternative of which nothing was read yet. */
const pending = '';

function newGroup(): Group {
  return { isAmbiguous: false, beginnings: [pending] };
}

function begin(group: Group, character: string | undefined): void {
  const last = group.beginnings.length - 1;
  if (group.beginnings[last] === pending) group.beginnings[last] = character;
}

/** Several alternatives that are not told apart by their first character. */
function hasSharedBeginning({ beginnings }: Group): boolean {
  if (beginnings.length === 1) return false;
  const known = beginnings.filter((character) => character !== undefined && character !== pending);
  return known.length < beginnings.length || new Set(known).size < known.length;
}

/** A quantifier; a lazy or possessive sign belongs to it. */
function repeatAt(
  source: string,
  index: number,
): { length: number; isEndless: boolean } | undefined {
  const match = /^(?:[*+?]|\{\d+(,?)(\d*)\})\??/.exec(source.slice(index, index + 30));
  if (match === null) return undefined;
  const [text, comma, max] = match;
  // A great finite number is as good as none.
  const isEndless = text.startsWith('{')
    ? (comma === ',' && max === '') ||
      Number(max === '' ? text.slice(1).match(/\d+/)?.[0] : max) > 10
    : !text.startsWith('?');
  return { length: text.length, isEndless };
}

function endOfClass(source: string, from: number): number {
  for (let index = from + 1; index < source.length; index++) {
    if (source[index] === '\\') index++;
    else if (source[index] === ']') return index;
  }
  return source.length;
}
