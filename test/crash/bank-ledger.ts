/** Topic of the accounts' entries, with the partitions that they are spread over. */
export const accountsTopic = 'accounts';
export const accountsPartitions = 6;
/** Topic whose partition with a clerk's number is what the clerk works through: its offset is his next transfer. */
export const ordersTopic = 'orders';
export const clerksMax = 8;
const accounts = 24;

/** One side of a transfer. */
export interface Entry {
  clerk: number;
  transfer: number;
  account: number;
  amount: number;
}

/** Both sides of a clerk's transfer; the programs in other languages do the same sums. */
export function entriesOf(clerk: number, transfer: number): [Entry, Entry] {
  const from = (transfer * 7 + clerk * 3) % accounts;
  const to = (from + 1 + (transfer % (accounts - 1))) % accounts;
  const amount = 1 + (transfer % 100);
  return [
    { clerk, transfer, account: from, amount: -amount },
    { clerk, transfer, account: to, amount },
  ];
}

/** As it stands in a record. */
export function entryText({ clerk, transfer, account, amount }: Entry): string {
  return `${clerk} ${transfer} ${account} ${amount}`;
}

export function partitionOf({ account }: Entry): number {
  return account % accountsPartitions;
}

export function transactionalIdOf(clerk: number): string {
  return `clerk-${clerk}`;
}

/** The group in which a clerk's transactions keep what he does next. */
export function groupOf(clerk: number): string {
  return `clerk-${clerk}`;
}

/**
 * What is wrong with what a stable reader found. `done` has, by clerk, the number of his next transfer as his group has
 * it; `acknowledged` the greatest that he was told is committed, -1 for none.
 */
export function findFaults(
  texts: readonly string[],
  done: ReadonlyMap<number, number>,
  acknowledged: ReadonlyMap<number, number>,
): string[] {
  const faults: string[] = [];
  const counts = new Map<string, number>();
  let sum = 0;
  for (const text of texts) {
    counts.set(text, (counts.get(text) ?? 0) + 1);
    sum += Number(text.split(' ')[3]);
  }
  if (sum !== 0) faults.push(`the sum is ${sum}`);
  for (const [text, count] of counts) if (count > 1) faults.push(`${text} is there ${count} times`);
  let expected = 0;
  for (const [clerk, next] of done) {
    for (let transfer = 0; transfer < next; transfer++) {
      for (const entry of entriesOf(clerk, transfer)) {
        expected += 1;
        if (!counts.has(entryText(entry))) faults.push(`${entryText(entry)} is not there`);
      }
    }
    const told = acknowledged.get(clerk) ?? -1;
    if (told >= next) faults.push(`clerk ${clerk} was told of ${told}, but goes on with ${next}`);
  }
  if (counts.size > expected) faults.push(`${counts.size - expected} entries of nobody are there`);
  return faults;
}
