/** A value that is JSON already: printable ASCII. */
export class ReadyJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Writes values as JSON, for answers that are mostly texts which stand in JSON as they are: looking through these first
 * takes a third of the time of `JSON.stringify`. Members that are undefined are left out.
 */
export class JsonText {
  /** Nothing but printable ASCII was in what was written last: as many bytes as characters. */
  isAscii = true;

  write(value: unknown): string {
    this.isAscii = true;
    return this.#write(value);
  }

  #write(value: unknown): string {
    if (typeof value === 'string') return this.#quote(value);
    if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
    if (Array.isArray(value)) return this.#writeList(value);
    if (value instanceof ReadyJson) return value.text;
    let text = '{';
    // A cast: these are members of an object, whatever they are.
    const members = value as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(members)) {
      const member = members[name];
      if (member === undefined) continue;
      text += text.length === 1 ? `${this.#quote(name)}:` : `,${this.#quote(name)}:`;
      text += this.#write(member);
    }
    return `${text}}`;
  }

  #writeList(values: readonly unknown[]): string {
    let text = '[';
    for (let at = 0; at < values.length; at++) {
      if (at > 0) text += ',';
      text += this.#write(values[at]);
    }
    return `${text}]`;
  }

  #quote(text: string): string {
    if (!needsCare.test(text)) return `"${text}"`;
    this.isAscii = false;
    return JSON.stringify(text);
  }
}

/** Printable ASCII but for the quotation mark and the backslash needs no escape. */
const needsCare = /[^\x20\x21\x23-\x5b\x5d-\x7e]/;
