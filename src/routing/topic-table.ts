import type { Route, RouteFacts, RouteTable, RouteTarget } from './route-table.ts';
import { TargetBag } from './target-bag.ts';

/** Stands for exactly one word. */
const oneWord = '*';
/** Stands for any number of words, none included. */
const anyWords = '#';

/**
 * A word of a pattern, below the words before it. Nodes that nothing leads to any more are cut off.
 */
class TopicNode<T> {
  /** The last match that came by here: a node is visited once for each word of a key. */
  seen = 0;
  readonly isAnyWords: boolean;
  children: Map<string, TopicNode<T>> | undefined = undefined;
  oneWord: TopicNode<T> | undefined = undefined;
  anyWords: TopicNode<T> | undefined = undefined;
  /** Of patterns that end here. */
  targets: TargetBag<T> | undefined = undefined;

  constructor(isAnyWords: boolean) {
    this.isAnyWords = isAnyWords;
  }

  get isEmpty(): boolean {
    return (
      this.targets === undefined &&
      this.children === undefined &&
      this.oneWord === undefined &&
      this.anyWords === undefined
    );
  }

  find(word: string): TopicNode<T> | undefined {
    if (word === oneWord) return this.oneWord;
    return word === anyWords ? this.anyWords : this.children?.get(word);
  }

  findOrAdd(word: string): TopicNode<T> {
    const known = this.find(word);
    if (known !== undefined) return known;
    const node = new TopicNode<T>(word === anyWords);
    if (word === oneWord) this.oneWord = node;
    else if (word === anyWords) this.anyWords = node;
    else {
      this.children ??= new Map();
      this.children.set(word, node);
    }
    return node;
  }

  cut(word: string): void {
    if (word === oneWord) this.oneWord = undefined;
    else if (word === anyWords) this.anyWords = undefined;
    else {
      this.children?.delete(word);
      if (this.children?.size === 0) this.children = undefined;
    }
  }
}

/**
 * Keys and patterns are words with dots between them. The patterns make a trie that is walked like a state machine: a
 * set of nodes is alive, and every word of the key leads from one set to the next. So each node is looked at no more
 * than once for each word, however many `#` there are, and patterns that do not fit are never looked at.
 */
export class TopicTable<T extends RouteTarget> implements RouteTable<T> {
  readonly isKeyOnly = true;
  readonly #root = new TopicNode<T>(false);
  #alive: Array<TopicNode<T>> = [];
  #next: Array<TopicNode<T>> = [];
  #step = 0;
  #visits = 0;

  /** Nodes that all matches so far have looked at. */
  get visits(): number {
    return this.#visits;
  }

  check(): void {
    // Every key is a pattern.
  }

  add(route: Route<T>): void {
    let node = this.#root;
    for (const word of wordsOf(route.key)) node = node.findOrAdd(word);
    node.targets ??= new TargetBag();
    node.targets.add(route.target);
  }

  remove(route: Route<T>): void {
    const words = wordsOf(route.key);
    const path: Array<TopicNode<T>> = [this.#root];
    for (const word of words) {
      const node = path.at(-1)?.find(word);
      if (node === undefined) return;
      path.push(node);
    }
    const last = path.at(-1);
    last?.targets?.remove(route.target);
    if (last?.targets?.isEmpty === true) last.targets = undefined;
    for (let depth = words.length; depth > 0 && path[depth]?.isEmpty === true; depth--) {
      path[depth - 1]?.cut(words[depth - 1] ?? '');
    }
  }

  match(facts: RouteFacts, found: Set<T>): void {
    for (const key of facts.keys) this.#matchKey(key, found);
  }

  #matchKey(key: string, found: Set<T>): void {
    this.#begin();
    this.#enter(this.#root);
    this.#swap();
    for (const word of wordsOf(key)) {
      if (this.#alive.length === 0) return;
      this.#begin();
      for (const node of this.#alive) {
        // `#` takes this word, too, and waits for what follows it.
        if (node.isAnyWords) this.#enter(node);
        const child = node.children?.get(word);
        if (child !== undefined) this.#enter(child);
        if (node.oneWord !== undefined) this.#enter(node.oneWord);
      }
      this.#swap();
    }
    for (const node of this.#alive) node.targets?.collect(found);
    this.#alive.length = 0;
  }

  #begin(): void {
    this.#step++;
    this.#next.length = 0;
  }

  #swap(): void {
    const done = this.#alive;
    this.#alive = this.#next;
    this.#next = done;
  }

  /** A `#` behind a node stands for no word at first, so it is alive together with the node. */
  #enter(from: TopicNode<T>): void {
    let node: TopicNode<T> | undefined = from;
    while (node !== undefined && node.seen !== this.#step) {
      node.seen = this.#step;
      this.#visits++;
      this.#next.push(node);
      node = node.anyWords;
    }
  }
}

/** The empty key has no words; `a.` has two, of which the second is empty. */
function wordsOf(key: string): string[] {
  return key === '' ? [] : key.split('.');
}
