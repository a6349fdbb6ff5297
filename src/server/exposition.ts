/** One line of a metric: its labels and its value. */
export interface Sample {
  labels: Readonly<Record<string, string | number>>;
  value: number;
}

/** A histogram's state: `counts[i]` observations were at most `bounds[i]`; the last of `counts` is beyond them all. */
export interface Buckets {
  bounds: readonly number[];
  counts: readonly number[];
  sum: number;
}

/**
 * Writes the text exposition format of Prometheus, version 0.0.4. What it shows is counted elsewhere, in plain
 * numbers; this is only how they are written when somebody asks.
 */
export class Exposition {
  #text = '';

  gauge(name: string, help: string, samples: readonly Sample[] | number): void {
    this.#metric('gauge', name, help, samples);
  }

  /** `name` ends in `_total`. */
  counter(name: string, help: string, samples: readonly Sample[] | number): void {
    this.#metric('counter', name, help, samples);
  }

  histogram(
    name: string,
    help: string,
    series: ReadonlyArray<{ labels: Sample['labels']; buckets: Buckets }>,
  ): void {
    this.#head('histogram', name, help);
    for (const { labels, buckets } of series) {
      let count = 0;
      for (const [index, bound] of buckets.bounds.entries()) {
        count += buckets.counts[index] ?? 0;
        this.#sample(`${name}_bucket`, { ...labels, le: String(bound) }, count);
      }
      count += buckets.counts[buckets.bounds.length] ?? 0;
      this.#sample(`${name}_bucket`, { ...labels, le: '+Inf' }, count);
      this.#sample(`${name}_sum`, labels, buckets.sum);
      this.#sample(`${name}_count`, labels, count);
    }
  }

  toString(): string {
    return this.#text;
  }

  #metric(type: string, name: string, help: string, samples: readonly Sample[] | number): void {
    this.#head(type, name, help);
    if (typeof samples === 'number') this.#sample(name, {}, samples);
    else for (const { labels, value } of samples) this.#sample(name, labels, value);
  }

  #head(type: string, name: string, help: string): void {
    const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
    this.#text += `# HELP ${name} ${escaped}\n# TYPE ${name} ${type}\n`;
  }

  #sample(name: string, labels: Sample['labels'], value: number): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    const suffix = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
    this.#text += `${name}${suffix} ${printValue(value)}\n`;
  }
}

function escapeLabel(text: string | number): string {
  return String(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function printValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
