import { limits } from '../../../base/index.ts';
import {
  type AccessPort,
  clusterName,
  type Identity,
  type Operation,
  operationBits,
  type ResourceKind,
} from '../../../broker/index.ts';
import type { TopicViewer } from '../../../shard/index.ts';

/**
 * What the client of one connection may do. Answers are remembered until anything changes: a topic that is written to a
 * thousand times a second is looked up once.
 */
export class Authorizer {
  /** Asked only when somebody has said who it is: brokers without users have no access. */
  readonly #access: () => AccessPort;
  readonly #identity: () => Identity | undefined;
  readonly #answers = new Map<string, number>();
  readonly #answersOnSome = new Map<string, boolean>();
  #answeredFor: Identity | undefined;
  #version = -1;

  constructor(access: () => AccessPort, identity: () => Identity | undefined) {
    this.#access = access;
    this.#identity = identity;
  }

  /** Nothing needs to be asked. */
  get isUnlimited(): boolean {
    const identity = this.#identity();
    return identity !== undefined && this.#access().mayDoAll(identity);
  }

  /** Who looks for what a pattern of topics matches; undefined: somebody who may see all. */
  get topicViewer(): TopicViewer | undefined {
    if (this.isUnlimited) return undefined;
    const { name = '', host = '' } = this.#identity() ?? {};
    return { name: `${name}@${host}`, sees: (topic) => this.may('describe', 'topic', topic) };
  }

  may(operation: Operation, kind: ResourceKind, name: string): boolean {
    return (this.operationsOn(kind, name) & operationBits[operation]) !== 0;
  }

  mayWithCluster(operation: Operation): boolean {
    return this.may(operation, 'cluster', clusterName);
  }

  /** The set of `operationBits`. */
  operationsOn(kind: ResourceKind, name: string): number {
    const identity = this.#refresh();
    if (identity === undefined) return 0;
    const key = `${kind}:${name}`;
    let set = this.#answers.get(key);
    if (set === undefined) {
      set = this.#access().operationsOn(identity, kind, name);
      if (this.#answers.size >= limits.accessAnswersMax) this.#answers.clear();
      this.#answers.set(key, set);
    }
    return set;
  }

  /** With any resource of the kind. */
  mayOnSome(operation: Operation, kind: ResourceKind): boolean {
    const identity = this.#refresh();
    if (identity === undefined) return false;
    // There are few kinds and operations: this needs no bound.
    const key = `${operation} ${kind}`;
    let answer = this.#answersOnSome.get(key);
    if (answer === undefined) {
      answer = this.#access().mayOnSome(identity, kind, operation);
      this.#answersOnSome.set(key, answer);
    }
    return answer;
  }

  #refresh(): Identity | undefined {
    const identity = this.#identity();
    const { version } = this.#access();
    if (identity !== this.#answeredFor || version !== this.#version) {
      this.#answers.clear();
      this.#answersOnSome.clear();
      this.#answeredFor = identity;
      this.#version = version;
    }
    return identity;
  }
}
