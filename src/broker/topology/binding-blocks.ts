import type { BindingState } from './exchange-state.ts';

/** Bindings in one block: few enough that a change costs little, enough that a snapshot is put together from few. */
const blockBindings = 512;

interface Block {
  readonly bindings: Set<BindingState>;
  /** JSON of the list; undefined after a change. */
  encoded: Uint8Array | undefined;
}

/**
 * The durable bindings of an exchange in encoded blocks, so that a snapshot encodes again only what has changed since the
 * one before.
 */
export class BindingBlocks {
  readonly #blocks: Block[] = [];
  /** Numbers of blocks with room. */
  readonly #open = new Set<number>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(binding: BindingState): void {
    let [number] = this.#open;
    if (number === undefined) {
      number = this.#blocks.length;
      this.#blocks.push({ bindings: new Set(), encoded: undefined });
      this.#open.add(number);
    }
    const block = this.#blocks[number];
    if (block === undefined) return;
    block.bindings.add(binding);
    block.encoded = undefined;
    binding.block = number;
    this.#count++;
    if (block.bindings.size >= blockBindings) this.#open.delete(number);
  }

  remove(binding: BindingState): void {
    const block = this.#blocks[binding.block];
    if (block === undefined || !block.bindings.delete(binding)) return;
    block.encoded = undefined;
    this.#count--;
    this.#open.add(binding.block);
  }

  /** JSON lists of StoredBindings, which together are all of them. */
  encode(): Uint8Array[] {
    const encoded: Uint8Array[] = [];
    for (const block of this.#blocks) {
      if (block.bindings.size === 0) continue;
      block.encoded ??= Buffer.from(
        `[${[...block.bindings].map((binding) => binding.text).join(',')}]`,
        'utf8',
      );
      encoded.push(block.encoded);
    }
    return encoded;
  }
}
