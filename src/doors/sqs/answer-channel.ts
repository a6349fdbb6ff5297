/** Where the answer to one request goes. */
export interface AnswerChannel {
  /** The peer is there, and has no answer yet. */
  readonly canAnswer: boolean;
  /** The connection ends with this answer in any case. */
  readonly isLast: boolean;
  /** Counts in the budget for as long as the peer has not taken it. The text has so many bytes; as many as characters: it is ASCII. `connection: close` ends the connection behind it. */
  answer(status: number, headers: AnswerHeaders, text: string, bytes: number): void;
}

export type AnswerHeaders = Readonly<Record<string, string>>;
