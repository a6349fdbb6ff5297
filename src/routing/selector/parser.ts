import { limits } from '../../base/index.ts';
import { invalidAt } from '../filter-error.ts';
import { negate } from './arithmetic.ts';
import {
  type Comparison,
  createBetween,
  createChain,
  createComparison,
  createIn,
  createIsNull,
  createJunction,
  createLike,
  createLiteral,
  createName,
  createNegation,
  createNot,
  type Expression,
} from './expression.ts';
import { LikePattern } from './like-pattern.ts';
import { type Keyword, readTokens, type Token } from './token.ts';

type Operator = '+' | '-' | '*' | '/';

const comparisons: Readonly<Record<string, Comparison>> = {
  '=': '=',
  '<>': '<>',
  '!=': '<>',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};

/** Recursive descent over the grammar of selectors; loosest first: OR, AND, NOT, comparisons, sums, products, signs. */
export class SelectorParser {
  readonly #tokens: readonly Token[];
  #place = 0;
  #depth = 0;

  /** Throws filter-invalid. */
  constructor(text: string) {
    this.#tokens = readTokens(text);
  }

  /** The whole selector, a condition. Throws filter-invalid. */
  parse(): Expression {
    const condition = asCondition(this.#parseOr());
    if (this.#token.kind !== 'end') throw this.#unexpected('the end');
    return condition;
  }

  get #token(): Token {
    // `!`: the last token is the end, which nothing takes.
    return this.#tokens[this.#place]!;
  }

  #parseOr(): Expression {
    return this.#nested(() => this.#parseJunction('OR', () => this.#parseAnd()));
  }

  #parseAnd(): Expression {
    return this.#parseJunction('AND', () => this.#parseNot());
  }

  #parseJunction(word: 'AND' | 'OR', parseOperand: () => Expression): Expression {
    const first = parseOperand();
    if (!this.#isKeyword(word)) return first;
    const operands = [asCondition(first)];
    while (this.#takeKeyword(word)) operands.push(asCondition(parseOperand()));
    return createJunction(operands, word === 'AND');
  }

  #parseNot(): Expression {
    const { at } = this.#token;
    if (!this.#takeKeyword('NOT')) return this.#parsePredicate();
    return this.#nested(() => createNot(asCondition(this.#parseNot()), at));
  }

  #parsePredicate(): Expression {
    const left = this.#parseSum();
    const token = this.#token;
    if (token.kind === 'symbol') {
      const operator = comparisons[token.text];
      if (operator === undefined) return left;
      this.#place++;
      const right = this.#parseSum();
      if (operator !== '=' && operator !== '<>') {
        asNumber(left);
        asNumber(right);
      }
      return createComparison(operator, left, right);
    }
    if (this.#takeKeyword('IS')) {
      const isNot = this.#takeKeyword('NOT');
      this.#expectKeyword('NULL');
      const condition = createIsNull(asName(left, 'IS NULL'));
      return isNot ? createNot(condition, left.at) : condition;
    }
    const isNot = this.#takeKeyword('NOT');
    const condition = this.#parseSuffix(left);
    if (condition === undefined) {
      if (isNot) throw this.#unexpected('BETWEEN, IN or LIKE');
      return left;
    }
    return isNot ? createNot(condition, left.at) : condition;
  }

  #parseSuffix(left: Expression): Expression | undefined {
    if (this.#takeKeyword('BETWEEN')) {
      const low = asNumber(this.#parseSum());
      this.#expectKeyword('AND');
      return createBetween(asNumber(left), low, asNumber(this.#parseSum()));
    }
    if (this.#takeKeyword('IN')) return createIn(asName(left, 'IN'), this.#parseChoices());
    if (!this.#takeKeyword('LIKE')) return undefined;
    const name = asName(left, 'LIKE');
    const pattern = this.#expectString('a pattern in quotes');
    let escape: string | undefined;
    if (this.#takeKeyword('ESCAPE')) {
      const { text, at } = this.#expectString('an escape character in quotes');
      if (text.length !== 1) throw invalidAt(at, 'ESCAPE takes one character');
      escape = text;
    }
    return createLike(name, new LikePattern(pattern.text, escape, pattern.at));
  }

  #parseChoices(): Array<string | number | bigint | boolean> {
    const choices: Array<string | number | bigint | boolean> = [];
    this.#expectSymbol('(');
    do choices.push(this.#parseChoice());
    while (this.#takeSymbol(','));
    this.#expectSymbol(')');
    return choices;
  }

  #parseChoice(): string | number | bigint | boolean {
    const isNegative = this.#takeSymbol('-');
    if (!isNegative) this.#takeSymbol('+');
    const token = this.#token;
    if (token.kind === 'number') {
      this.#place++;
      return isNegative ? negate(token.value) : token.value;
    }
    if (isNegative) throw this.#unexpected('a number');
    if (this.#takeKeyword('TRUE')) return true;
    if (this.#takeKeyword('FALSE')) return false;
    return this.#expectString('a value').text;
  }

  #parseSum(): Expression {
    return this.#parseChain(['+', '-'], () => this.#parseProduct());
  }

  #parseProduct(): Expression {
    return this.#parseChain(['*', '/'], () => this.#parseSigned());
  }

  #parseChain(signs: readonly Operator[], parseOperand: () => Expression): Expression {
    const first = parseOperand();
    const operands = [first];
    const operators: Operator[] = [];
    for (let sign = this.#findSign(signs); sign !== undefined; sign = this.#findSign(signs)) {
      this.#place++;
      operators.push(sign);
      operands.push(asNumber(parseOperand()));
    }
    if (operators.length === 0) return first;
    asNumber(first);
    return createChain(operands, operators);
  }

  #findSign(signs: readonly Operator[]): Operator | undefined {
    const token = this.#token;
    return token.kind === 'symbol' ? signs.find((sign) => sign === token.text) : undefined;
  }

  #parseSigned(): Expression {
    const { at } = this.#token;
    if (this.#takeSymbol('-')) {
      return this.#nested(() => createNegation(asNumber(this.#parseSigned()), at));
    }
    if (this.#takeSymbol('+')) return this.#nested(() => asNumber(this.#parseSigned()));
    return this.#parsePrimary();
  }

  #parsePrimary(): Expression {
    const token = this.#token;
    if (token.kind === 'end') throw this.#unexpected('a value');
    this.#place++;
    switch (token.kind) {
      case 'identifier':
        return createName(token.text, token.at);
      case 'string':
        return createLiteral(token.text, token.at);
      case 'number':
        return createLiteral(token.value, token.at, token.isApproximate);
      case 'keyword':
        if (token.text === 'TRUE') return createLiteral(true, token.at);
        if (token.text === 'FALSE') return createLiteral(false, token.at);
        break;
      default:
        if (token.text !== '(') break;
        return this.#parseParenthesis();
    }
    this.#place--;
    throw this.#unexpected('a value');
  }

  #parseParenthesis(): Expression {
    const inside = this.#parseOr();
    this.#expectSymbol(')');
    // `(a) IS NULL` is no name any more.
    const { type, at, isApproximate, evaluate } = inside;
    return { type, at, isApproximate, evaluate };
  }

  #nested(parse: () => Expression): Expression {
    if (++this.#depth > limits.filterDepthMax) {
      throw invalidAt(this.#token.at, `it is nested more than ${limits.filterDepthMax} deep`);
    }
    const expression = parse();
    this.#depth--;
    return expression;
  }

  #isKeyword(word: Keyword): boolean {
    const token = this.#token;
    return token.kind === 'keyword' && token.text === word;
  }

  #takeKeyword(word: Keyword): boolean {
    if (!this.#isKeyword(word)) return false;
    this.#place++;
    return true;
  }

  #expectKeyword(word: Keyword): void {
    if (!this.#takeKeyword(word)) throw this.#unexpected(word);
  }

  #takeSymbol(sign: string): boolean {
    const token = this.#token;
    if (token.kind !== 'symbol' || token.text !== sign) return false;
    this.#place++;
    return true;
  }

  #expectSymbol(sign: string): void {
    if (!this.#takeSymbol(sign)) throw this.#unexpected(sign);
  }

  #expectString(what: string): { text: string; at: number } {
    const token = this.#token;
    if (token.kind !== 'string') throw this.#unexpected(what);
    this.#place++;
    return token;
  }

  #unexpected(expected: string): Error {
    const token = this.#token;
    return invalidAt(token.at, `${expected} is expected, not ${describe(token)}`);
  }
}

function asCondition(expression: Expression): Expression {
  if (expression.type === 'any' || expression.type === 'boolean') return expression;
  throw invalidAt(expression.at, `a ${expression.type} is no condition`);
}

function asNumber(expression: Expression): Expression {
  if (expression.type === 'any' || expression.type === 'number') return expression;
  throw invalidAt(expression.at, `a ${expression.type} is no number`);
}

function asName(expression: Expression, before: string): Expression {
  if (expression.name !== undefined) return expression;
  throw invalidAt(expression.at, `${before} is only for a name`);
}

function describe(token: Token): string {
  switch (token.kind) {
    case 'end':
      return 'the end';
    case 'number':
      return String(token.value);
    case 'string':
      return `'${token.text}'`;
    default:
      return token.text;
  }
}
