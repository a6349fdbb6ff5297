import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What a process and its descendants have used, read from /proc (Linux). */
export interface ProcessUsage {
  /** User and system time since the start, seconds. */
  cpuSeconds: number;
  /** Resident memory now, MiB. */
  residentMib: number;
}

export function readUsage(pid: number): ProcessUsage {
  const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  let ticks = 0;
  let residentKib = 0;
  for (const each of findTree(pid)) {
    const fields = readStat(each);
    if (fields === undefined) continue;
    // proc(5): utime and stime are fields 14 and 15; `fields` starts at the third.
    ticks += Number(fields[11]) + Number(fields[12]);
    residentKib += readResidentKib(each);
  }
  return { cpuSeconds: ticks / ticksPerSecond, residentMib: residentKib / 1024 };
}

/** The fields after the name, which is in parentheses and may hold anything. */
function readStat(pid: number): string[] | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function readResidentKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readProc(`/proc/${pid}/status`) ?? '')?.[1] ?? 0);
}

/** Undefined when the process has ended meanwhile. */
function readProc(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function findTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(readStat(Number(name))?.[1] ?? -1);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}
