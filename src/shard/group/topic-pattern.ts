import { BrokerError, limits } from '../../base/index.ts';

/**
 * Regular expressions by which members subscribe to topics. They come from strangers and are tried on every topic, so
 * that they must not backtrack: a pattern becomes a small automaton that reads a name once, in time that grows with the
 * length of the name times that of the pattern. The syntax is RE2's, which has no back references and no lookaround.
 */
export class TopicPattern {
  readonly text: string;
  readonly #steps: readonly Step[];
  readonly #marks: Uint32Array;
  #mark = 0;

  /** Throws `filter-invalid` for what is no pattern, or too large a one. */
  constructor(text: string) {
    if (text.length > limits.topicPatternCharsMax) {
      throw invalid(`it has more than ${limits.topicPatternCharsMax} characters`);
    }
    this.text = text;
    this.#steps = new Compiler().compile(new Parser(text).parse());
    this.#marks = new Uint32Array(this.#steps.length);
  }

  /** Whether the pattern matches the whole name. */
  matches(name: string): boolean {
    let current: number[] = [];
    this.#mark++;
    this.#follow(0, name, 0, current);
    for (let at = 0; at < name.length; at++) {
      if (current.length === 0) return false;
      const next: number[] = [];
      this.#mark++;
      for (const index of current) {
        const step = this.#steps[index];
        if (step?.kind === 'char' && step.test(name.charCodeAt(at))) {
          this.#follow(index + 1, name, at + 1, next);
        }
      }
      current = next;
    }
    return current.some((index) => this.#steps[index]?.kind === 'match');
  }

  /** Whether the pattern matches some part of the text. */
  isIn(text: string): boolean {
    let current: number[] = [];
    for (let at = 0; at <= text.length; at++) {
      const next: number[] = [];
      this.#mark++;
      for (const index of current) {
        const step = this.#steps[index];
        if (step?.kind === 'char' && step.test(text.charCodeAt(at - 1)))
          this.#follow(index + 1, text, at, next);
      }
      this.#follow(0, text, at, next);
      if (next.some((index) => this.#steps[index]?.kind === 'match')) return true;
      current = next;
    }
    return false;
  }

  /** Adds the steps that read a character, or end, and are reached from `from` without reading one. */
  #follow(from: number, name: string, at: number, into: number[]): void {
    const open = [from];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (this.#marks[index] === this.#mark) continue;
      this.#marks[index] = this.#mark;
      const step = this.#steps[index];
      if (step === undefined) continue;
      if (step.kind === 'split') open.push(step.second, step.first);
      else if (step.kind === 'jump') open.push(step.to);
      else if (step.kind !== 'assert') into.push(index);
      else if (step.test(name, at)) open.push(index + 1);
    }
  }
}

/** Throws `filter-invalid` for what is no pattern; empty stands for none. */
export function checkTopicPattern(text: string): void {
  if (text !== '') void new TopicPattern(text);
}

type CharTest = (code: number) => boolean;
type PlaceTest = (text: string, at: number) => boolean;

type Step =
  | { kind: 'char'; test: CharTest }
  | { kind: 'assert'; test: PlaceTest }
  | { kind: 'split'; first: number; second: number }
  | { kind: 'jump'; to: number }
  | { kind: 'match' };

type Node =
  | { kind: 'char'; test: CharTest }
  | { kind: 'assert'; test: PlaceTest }
  | { kind: 'sequence'; parts: Node[] }
  | { kind: 'choice'; options: Node[] }
  | { kind: 'repeat'; of: Node; min: number; max: number };

/** RE2's bound of counted repetitions. */
const repeatMax = 1000;

const isDigit: CharTest = (code) => code >= 48 && code <= 57;
const isUpper: CharTest = (code) => code >= 65 && code <= 90;
const isLower: CharTest = (code) => code >= 97 && code <= 122;
const isLetter: CharTest = (code) => isUpper(code) || isLower(code);
const isWord: CharTest = (code) => isLetter(code) || isDigit(code) || code === 95;
const isSpace: CharTest = (code) => code === 32 || (code >= 9 && code <= 13 && code !== 11);
const not =
  (test: CharTest): CharTest =>
  (code) =>
    !test(code);
const isOneOf =
  (chars: string): CharTest =>
  (code) =>
    chars.includes(String.fromCharCode(code));

const isWordBorder: PlaceTest = (text, at) =>
  (at > 0 && isWord(text.charCodeAt(at - 1))) !== (at < text.length && isWord(text.charCodeAt(at)));

const classEscapes: ReadonlyMap<string, CharTest> = new Map([
  ['d', isDigit],
  ['D', not(isDigit)],
  ['w', isWord],
  ['W', not(isWord)],
  ['s', isSpace],
  ['S', not(isSpace)],
]);

const charEscapes: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['f', 12],
  ['t', 9],
  ['n', 10],
  ['r', 13],
  ['v', 11],
]);

const placeEscapes: ReadonlyMap<string, PlaceTest> = new Map<string, PlaceTest>([
  ['A', (_, at) => at === 0],
  ['z', (text, at) => at === text.length],
  ['b', isWordBorder],
  ['B', (text, at) => !isWordBorder(text, at)],
]);

const namedClasses: ReadonlyMap<string, CharTest> = new Map<string, CharTest>([
  ['alnum', (code) => isLetter(code) || isDigit(code)],
  ['alpha', isLetter],
  ['ascii', (code) => code < 128],
  ['blank', isOneOf(' \t')],
  ['cntrl', (code) => code < 32 || code === 127],
  ['digit', isDigit],
  ['graph', (code) => code > 32 && code < 127],
  ['lower', isLower],
  ['print', (code) => code >= 32 && code < 127],
  ['punct', (code) => code > 32 && code < 127 && !isLetter(code) && !isDigit(code)],
  ['space', isSpace],
  ['upper', isUpper],
  ['word', isWord],
  ['xdigit', isOneOf('0123456789abcdefABCDEF')],
]);

/** Recursive descent; the depth is bounded, because a pattern may be nothing but brackets. */
class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #isCaseless = false;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#text.length) throw invalid('a bracket is closed that was not opened');
    return node;
  }

  #choice(): Node {
    const options = [this.#sequence()];
    while (this.#take('|')) options.push(this.#sequence());
    return options.length === 1 && options[0] !== undefined
      ? options[0]
      : { kind: 'choice', options };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#text.length && !this.#isAt('|') && !this.#isAt(')')) {
      if (this.#take('\\Q')) {
        const end = this.#text.indexOf('\\E', this.#at);
        const to = end < 0 ? this.#text.length : end;
        while (this.#at < to) parts.push(this.#literal(this.#text.charCodeAt(this.#at++)));
        this.#at = end < 0 ? to : end + 2;
        const last = parts.pop();
        if (last !== undefined) parts.push(this.#repeat(last));
        continue;
      }
      const atom = this.#atom();
      if (atom !== undefined) parts.push(this.#repeat(atom));
    }
    return { kind: 'sequence', parts };
  }

  #repeat(atom: Node): Node {
    const range = this.#quantifier();
    if (range === undefined) return atom;
    // Whether it likes few or many does not change what matches as a whole.
    this.#take('?');
    if (this.#quantifier() !== undefined) throw invalid('a repetition is repeated');
    return { kind: 'repeat', of: atom, ...range };
  }

  #quantifier(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { min: 0, max: 1 };
    if (!this.#isAt('{')) return undefined;
    // What is no count is a text with a brace in it.
    const match = /^\{(\d{1,9})(,(\d{0,9}))?\}/.exec(this.#text.slice(this.#at));
    if (match === null) return undefined;
    this.#at += match[0].length;
    const min = Number(match[1]);
    const upper = match[3] ?? match[1] ?? '';
    const max = upper === '' ? Number.POSITIVE_INFINITY : Number(upper);
    if (min > repeatMax || (Number.isFinite(max) && max > repeatMax) || min > max) {
      throw invalid(`the repetition ${match[0]} is not possible`);
    }
    return { min, max };
  }

  #atom(): Node | undefined {
    const char = this.#text[this.#at] ?? '';
    this.#at++;
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return { kind: 'char', test: this.#caseless(this.#class()) };
      case '.':
        return { kind: 'char', test: (code) => code !== 10 };
      case '^':
        return { kind: 'assert', test: (_, at) => at === 0 };
      case '$':
        return { kind: 'assert', test: (text, at) => at === text.length };
      case '*':
      case '+':
      case '?':
        throw invalid(`there is nothing before ${char}`);
      case '\\':
        return this.#escape();
      default:
        return this.#literal(char.charCodeAt(0));
    }
  }

  /** Behind an opening bracket. Undefined for one that only sets flags. */
  #group(): Node | undefined {
    if (++this.#depth > limits.filterDepthMax) throw invalid('its brackets are too deep');
    const outer = this.#isCaseless;
    if (this.#take('?')) {
      const match = /^(?:P?<([A-Za-z_]\w*)>|([imsU]*(?:-[imsU]+)?)([:)]))/.exec(
        this.#text.slice(this.#at),
      );
      if (match === null) throw invalid('RE2 does not know this kind of group');
      this.#at += match[0].length;
      const [on = '', off = ''] = (match[2] ?? '').split('-');
      if (on.includes('i')) this.#isCaseless = true;
      if (off.includes('i')) this.#isCaseless = false;
      if (match[3] === ')') {
        this.#depth--;
        return undefined;
      }
    }
    const node = this.#choice();
    if (!this.#take(')')) throw invalid('a bracket is not closed');
    this.#isCaseless = outer;
    this.#depth--;
    return node;
  }

  #escape(): Node {
    const char = this.#text[this.#at] ?? '';
    const place = placeEscapes.get(char);
    if (place !== undefined) {
      this.#at++;
      return { kind: 'assert', test: place };
    }
    const test = this.#classEscape();
    if (test !== undefined) return { kind: 'char', test: this.#caseless(test) };
    return this.#literal(this.#charEscape());
  }

  /** Behind a backslash: a class of characters, if it is one. */
  #classEscape(): CharTest | undefined {
    const char = this.#text[this.#at] ?? '';
    const test = classEscapes.get(char);
    if (test !== undefined) {
      this.#at++;
      return test;
    }
    if (char !== 'p' && char !== 'P') return undefined;
    const match = /^[pP](?:(\w)|\{(\^?)(\w+)\})/.exec(this.#text.slice(this.#at));
    if (match === null) throw invalid('a class of characters has no name');
    this.#at += match[0].length;
    const name = match[1] ?? match[3] ?? '';
    const isIn = findUnicodeClass(name);
    return (char === 'P') !== (match[2] === '^') ? not(isIn) : isIn;
  }

  /** Behind a backslash: one character. */
  #charEscape(): number {
    const hex = /^x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(this.#text.slice(this.#at));
    if (hex !== null) {
      this.#at += hex[0].length;
      return Number.parseInt(hex[1] ?? hex[2] ?? '', 16);
    }
    const char = this.#text[this.#at] ?? '';
    this.#at++;
    const code = charEscapes.get(char);
    if (code !== undefined) return code;
    if (char === '' || isWord(char.charCodeAt(0))) {
      throw invalid(`RE2 does not know the escape \\${char}`);
    }
    return char.charCodeAt(0);
  }

  /** Behind an opening square bracket. */
  #class(): CharTest {
    const isNegated = this.#take('^');
    const tests: CharTest[] = [];
    for (let isFirst = true; isFirst || !this.#isAt(']'); isFirst = false) {
      if (this.#at >= this.#text.length) throw invalid('a class of characters is not closed');
      const named = /^\[:(\^?)(\w+):\]/.exec(this.#text.slice(this.#at));
      if (named !== null) {
        const test = namedClasses.get(named[2] ?? '');
        if (test === undefined) throw invalid(`there is no class ${named[0]}`);
        this.#at += named[0].length;
        tests.push(named[1] === '^' ? not(test) : test);
        continue;
      }
      tests.push(this.#classPart());
    }
    this.#at++;
    const isIn: CharTest = (code) => tests.some((test) => test(code));
    return isNegated ? not(this.#caseless(isIn)) : isIn;
  }

  /** A character, a range of them, or an escape that stands for several. */
  #classPart(): CharTest {
    if (this.#take('\\')) {
      const test = this.#classEscape();
      if (test !== undefined) return test;
      this.#at--;
    }
    const from = this.#classChar();
    if (!this.#isAt('-') || this.#text[this.#at + 1] === ']') return (code) => code === from;
    this.#at++;
    const to = this.#classChar();
    if (to < from) throw invalid('a range of characters ends before it begins');
    return (code) => code >= from && code <= to;
  }

  #classChar(): number {
    if (this.#take('\\')) return this.#charEscape();
    if (this.#at >= this.#text.length) throw invalid('a class of characters is not closed');
    return this.#text.charCodeAt(this.#at++);
  }

  #literal(code: number): Node {
    return { kind: 'char', test: this.#caseless((other) => other === code) };
  }

  #caseless(test: CharTest): CharTest {
    if (!this.#isCaseless) return test;
    return (code) => {
      const char = String.fromCharCode(code);
      return (
        test(code) ||
        test(char.toLowerCase().charCodeAt(0)) ||
        test(char.toUpperCase().charCodeAt(0))
      );
    };
  }

  #isAt(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    if (!this.#isAt(text)) return false;
    this.#at += text.length;
    return true;
  }
}

class Compiler {
  readonly #steps: Step[] = [];

  compile(node: Node): Step[] {
    this.#emit(node);
    this.#add({ kind: 'match' });
    return this.#steps;
  }

  #emit(node: Node): void {
    switch (node.kind) {
      case 'sequence':
        for (const part of node.parts) this.#emit(part);
        return;
      case 'choice':
        this.#emitChoice(node.options);
        return;
      case 'repeat':
        this.#emitRepeat(node);
        return;
      default:
        this.#add(node);
    }
  }

  #emitChoice(options: readonly Node[]): void {
    const jumps: Array<{ kind: 'jump'; to: number }> = [];
    for (const [index, option] of options.entries()) {
      if (index === options.length - 1) {
        this.#emit(option);
        break;
      }
      const split = this.#add({ kind: 'split', first: this.#steps.length + 1, second: 0 });
      this.#emit(option);
      jumps.push(this.#add({ kind: 'jump', to: 0 }));
      split.second = this.#steps.length;
    }
    for (const jump of jumps) jump.to = this.#steps.length;
  }

  #emitRepeat({ of, min, max }: { of: Node; min: number; max: number }): void {
    for (let count = 0; count < min; count++) {
      const at = this.#steps.length;
      this.#emit(of);
      // Nothing, repeated, is nothing; written out inside each other such repetitions would take for ever.
      if (this.#steps.length === at) break;
    }
    if (max === Number.POSITIVE_INFINITY) {
      const at = this.#steps.length;
      const split = this.#add({ kind: 'split', first: at + 1, second: 0 });
      this.#emit(of);
      this.#add({ kind: 'jump', to: at });
      split.second = this.#steps.length;
      return;
    }
    const splits: Array<{ kind: 'split'; first: number; second: number }> = [];
    for (let count = min; count < max; count++) {
      splits.push(this.#add({ kind: 'split', first: this.#steps.length + 1, second: 0 }));
      this.#emit(of);
    }
    for (const split of splits) split.second = this.#steps.length;
  }

  #add<One extends Step>(step: One): One {
    if (this.#steps.length >= limits.topicPatternStepsMax) {
      throw invalid('it is too large when its repetitions are written out');
    }
    this.#steps.push(step);
    return step;
  }
}

function findUnicodeClass(name: string): CharTest {
  for (const property of [name, `Script=${name}`]) {
    try {
      const expression = new RegExp(`^\\p{${property}}$`, 'u');
      return (code) => expression.test(String.fromCharCode(code));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  throw invalid(`there is no class \\p{${name}}`);
}

function invalid(detail: string): BrokerError {
  return new BrokerError('filter-invalid', detail);
}
