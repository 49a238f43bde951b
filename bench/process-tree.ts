// CPU time and memory of a process with all its descendants, read from /proc (Linux only).
import { readdirSync, readFileSync } from 'node:fs';

const clockTicksPerSecond = 100; // USER_HZ, fixed on the Linux platforms that Node supports

type ProcessStat = { readonly pid: number; readonly parentPid: number; readonly cpuTicks: number };

export type MemoryUse = { readonly processes: number; readonly residentMb: number; readonly proportionalMb: number };

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // the process ended between the listing and the read
  }
}

function readStat(pid: number): ProcessStat | undefined {
  const text = readIfPresent(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command name may contain spaces and parentheses, so fields are counted from the last ")".
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const numberAt = (index: number): number => Number(fields[index] ?? 0);
  // utime, stime, and cutime, cstime: children that ended and were waited for stay counted.
  const cpuTicks = numberAt(11) + numberAt(12) + numberAt(13) + numberAt(14);
  return { pid, parentPid: numberAt(1), cpuTicks };
}

function readTree(rootPid: number): ProcessStat[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== undefined);
  const members = new Set([rootPid]);
  let sizeBefore = 0;
  while (members.size !== sizeBefore) {
    sizeBefore = members.size;
    for (const stat of all) if (members.has(stat.parentPid)) members.add(stat.pid);
  }
  return all.filter((stat) => members.has(stat.pid));
}

/** The process and its descendants, the root included while it lives. */
export function treePids(rootPid: number): number[] {
  return readTree(rootPid).map((stat) => stat.pid);
}

/** CPU milliseconds (user and system) that the whole tree has used since it started; resolution 10 ms. */
export function treeCpuMs(rootPid: number): number {
  const ticks = readTree(rootPid).reduce((sum, stat) => sum + stat.cpuTicks, 0);
  return (ticks * 1000) / clockTicksPerSecond;
}

function kilobytes(rollup: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);
}

/** Memory of the whole tree; the proportional figure divides shared pages among those that share them. */
export function treeMemory(rootPid: number): MemoryUse {
  const rollups = treePids(rootPid)
    .map((pid) => readIfPresent(`/proc/${pid}/smaps_rollup`))
    .filter((rollup) => rollup !== undefined && rollup !== '')
    .map((rollup) => rollup ?? '');
  const sumMb = (field: string): number => rollups.reduce((sum, rollup) => sum + kilobytes(rollup, field), 0) / 1024;
  return { processes: rollups.length, residentMb: sumMb('Rss'), proportionalMb: sumMb('Pss') };
}
