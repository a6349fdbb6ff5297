import { printable } from '../base/index.ts';

/** Prints rows in columns as wide as their widest cell. */
export function printTable(
  header: readonly string[],
  rows: ReadonlyArray<readonly (string | number)[]>,
): void {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell : printable(cell))),
  );
  const widths = header.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => String(row[column] ?? '').length)),
  );
  const lines = [header, ...cells].map((row) =>
    row
      .map((cell, column) => {
        const text = String(cell);
        // Numbers read best when their units stand under each other.
        return typeof cell === 'number'
          ? text.padStart(widths[column] ?? 0)
          : text.padEnd(widths[column] ?? 0);
      })
      .join('  ')
      .trimEnd(),
  );
  process.stdout.write(`${lines.join('\n')}\n`);
}
