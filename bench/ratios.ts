import { formatTable, type Report } from './report.ts';

/** Pabal against each other subject, metric by metric, of the medians. */
export function printRatios(report: Report): void {
  const rows: string[][] = [];
  for (const scenario of report.scenarios()) {
    for (const subject of report.subjects(scenario)) {
      if (subject === 'pabal') continue;
      for (const metric of report.metrics(scenario)) {
        const ours = report.median(scenario, 'pabal', metric);
        const ratio = ours / report.median(scenario, subject, metric);
        if (Number.isFinite(ratio)) rows.push([scenario, subject, metric, `${ratio.toFixed(2)} x`]);
      }
    }
  }
  if (rows.length === 0) return;
  console.log('\nratios of medians, pabal to the other');
  console.log(formatTable(['', 'to', 'of', 'ratio'], rows));
}
