// What policies cost: the same transition where no policy is in force, beside one, and under one with five requirements, checks and approvals; and
// how many governed changes two servers on one PostgreSQL make.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Approved,
  applying,
  type Call,
  type Cost,
  fill,
  type GovernedWorld,
  type Kind,
  openRequests,
  openWorld,
  range,
  sendAll,
  sum,
  transition,
} from './governed-world.ts';
import { LoadGenerator } from './load-generator.ts';
import type { BenchOptions } from './options.ts';
import { analyze, startPostgres } from './postgres-process.ts';
import { scratchDir } from './project-paths.ts';
import { markdownTable } from './report.ts';
import { prepareProgram, type RunningServer, startServer } from './server-process.ts';

const manyConnections = 16;
const gatheredConnections = 64;
const turns = 3;
/** Each change uses up its version, so the number of changes is chosen and not the time. */
const changesPerSecond = 480;
const shareOneByOne = 0.2;
const shareApplied = 0.2;
const costMax = 3;
const rateMin = 1000;

export type GovernedRow = { readonly what: string; readonly connections: number; readonly cost: Cost };
export type GovernedResults = { readonly rows: readonly GovernedRow[]; readonly onPostgres: readonly GovernedRow[] };

const plain = 'transition, no policy in force';
const governed = 'governed transition';
const measuredKinds: readonly { readonly what: string; readonly kind: Kind }[] = [
  { what: plain, kind: 'free' },
  { what: 'transition, policies in force and none about it', kind: 'neighbour' },
  { what: governed, kind: 'governed' },
];

function say(line: string): void {
  process.stderr.write(`bench: ${line} …\n`);
}

/** Slices of the models, so that no version is moved twice. */
type Sizes = { readonly many: number; readonly oneByOne: number; readonly applied: number };

function sizesFor({ secondsPerMeasurement }: BenchOptions): Sizes {
  const many = Math.max(turns * manyConnections, Math.round(changesPerSecond * secondsPerMeasurement));
  return { many, oneByOne: Math.round(many * shareOneByOne), applied: Math.round(many * shareApplied) };
}

async function demandAllClosed(world: GovernedWorld): Promise<void> {
  const { size } = await openRequests(world);
  if (size > 0) throw new Error(`${size} of the governed changes left their request open`);
}

/** The kinds take turns, so that whatever else the machine does is spread over all of them. */
async function compareKinds(world: GovernedWorld, sizes: Sizes, approved: Approved): Promise<GovernedRow[]> {
  const costs = new Map<string, Cost[]>();
  for (let turn = 0; turn < turns; turn++) {
    const [from, to] = [turn, turn + 1].map((each) => Math.floor((each * sizes.many) / turns));
    for (const { what, kind } of measuredKinds) {
      const calls = range(from ?? 0, to ?? 0).map((index) => transition(world, kind, index));
      costs.set(what, [...(costs.get(what) ?? []), await sendAll(world, calls, manyConnections)]);
    }
  }
  const rows = [...costs].map(([what, each]): GovernedRow => ({ what, connections: manyConnections, cost: sum(each) }));
  const alone = range(sizes.many, sizes.many + sizes.oneByOne);
  for (const { what, kind } of measuredKinds) {
    const calls = alone.map((index) => transition(world, kind, index));
    rows.push({ what, connections: 1, cost: await sendAll(world, calls, 1) });
  }
  const applied = range(sizes.many + sizes.oneByOne, sizes.many + sizes.oneByOne + sizes.applied);
  const calls = applied.map((index) => applying(world, approved, index));
  rows.push({ what: 'the same by applying its request', connections: manyConnections, cost: await sendAll(world, calls, manyConnections) });
  return rows;
}

async function measureOnSqlite(generator: LoadGenerator, sizes: Sizes): Promise<GovernedRow[]> {
  const folder = join(scratchDir, 'governed');
  mkdirSync(folder, { recursive: true });
  let server: RunningServer | undefined;
  try {
    const world = await openWorld(folder, undefined, async () => {
      server = await startServer('countersign', folder);
      return { servers: [server], generators: [generator] };
    });
    const perKind = sizes.many + sizes.oneByOne;
    say('preparing governed changes');
    const approved = await fill(world, { free: perKind, neighbour: perKind, governed: perKind + sizes.applied });
    say('governed changes, SQLite');
    const rows = await compareKinds(world, sizes, approved);
    await demandAllClosed(world);
    const { report, ask, approve } = approved.preparing;
    return [
      ...rows,
      { what: 'report a check', connections: 32, cost: report },
      { what: 'open a request', connections: 32, cost: ask },
      { what: 'approve', connections: 32, cost: approve },
    ];
  } finally {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureOnPostgres(generators: readonly LoadGenerator[], sizes: Sizes): Promise<GovernedRow[]> {
  const folder = join(scratchDir, 'governed-postgres');
  mkdirSync(folder, { recursive: true });
  say('starting PostgreSQL');
  const postgres = await startPostgres();
  const servers: RunningServer[] = [];
  try {
    const world = await openWorld(folder, postgres.url, async () => {
      for (const _ of generators) servers.push(await startServer('countersign', folder, ['--database-url', postgres.url]));
      return { servers, generators };
    });
    say('preparing governed changes on PostgreSQL');
    const count = sizes.many + sizes.oneByOne;
    await fill(world, { free: count, governed: count });
    await analyze(postgres.url);
    const rows: GovernedRow[] = [];
    const send = async (what: string, calls: readonly Call[], connections: number): Promise<void> => {
      say(`${what}, PostgreSQL, ${connections} connections`);
      rows.push({ what, connections, cost: await sendAll(world, calls, connections) });
    };
    for (const [what, kind] of [
      [plain, 'free'],
      [governed, 'governed'],
    ] as const) {
      const calls = range(0, count).map((index) => transition(world, kind, index));
      await send(what, calls.slice(0, sizes.many), gatheredConnections);
      await send(what, calls.slice(sizes.many), 1);
    }
    await demandAllClosed(world);
    return rows;
  } finally {
    for (const server of servers) await server.stop();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function measureGoverned(generator: LoadGenerator, options: BenchOptions): Promise<GovernedResults> {
  prepareProgram('countersign', options.countersignProgram);
  const sizes = sizesFor(options);
  const rows = await measureOnSqlite(generator, sizes);
  const second = new LoadGenerator();
  try {
    return { rows, onPostgres: await measureOnPostgres([generator, second], sizes) };
  } finally {
    second.close();
  }
}

const rateOf = ({ count, seconds }: Cost): number => count / seconds;
const cpuOf = ({ count, cpuMs }: Cost): number => cpuMs / count;
const mark = (isMet: boolean): string => (isMet ? ' ✓' : ' ✗');

function sqliteTable(rows: readonly GovernedRow[]): string {
  const cells = rows.map(({ what, connections, cost }) => {
    const base = rows.find((each) => each.what === plain && each.connections === (connections === 1 ? 1 : manyConnections))?.cost;
    const times = base === undefined ? 1 : cpuOf(cost) / cpuOf(base);
    const slower = base === undefined ? 1 : rateOf(base) / rateOf(cost);
    const isJudged = what === governed;
    return [
      what,
      String(connections),
      Math.round(rateOf(cost)).toLocaleString('en-US'),
      cpuOf(cost).toFixed(3),
      `${times.toFixed(2)}×${isJudged ? mark(times <= costMax) : ''}`,
      `${slower.toFixed(2)}×${isJudged ? mark(slower <= costMax) : ''}`,
      String(cost.count),
    ];
  });
  return markdownTable(['change', 'connections', 'changes/s', 'CPU ms each', 'CPU, to plain', 'time, to plain', 'measured'], cells);
}

function postgresTable(rows: readonly GovernedRow[]): string {
  const cells = rows.map(({ what, connections, cost }) => {
    const alone = rows.find((each) => each.what === what && each.connections === 1)?.cost;
    const isJudged = what === governed && connections > 1;
    return [
      what,
      String(connections),
      `${Math.round(rateOf(cost)).toLocaleString('en-US')}${isJudged ? mark(rateOf(cost) >= rateMin) : ''}`,
      alone === undefined ? '–' : `${(rateOf(cost) / rateOf(alone)).toFixed(1)}×`,
      cpuOf(cost).toFixed(3),
      String(cost.count),
    ];
  });
  return markdownTable(['change', 'connections', 'changes/s', 'to one by one', 'CPU ms each, both servers', 'measured'], cells);
}

export function governedReport({ rows, onPostgres }: GovernedResults): string {
  return [
    '## Governed changes',
    '',
    `One server on SQLite. The policy asks for 2 approvals, 3 checks, 2 numbers (one against what stands there), a description and a signature; wanted: ≤ ${costMax}× a plain transition.`,
    '',
    sqliteTable(rows),
    '',
    `Two servers on one PostgreSQL, both on this machine with it. Wanted: ≥ ${rateMin.toLocaleString('en-US')} governed changes/s.`,
    '',
    postgresTable(onPostgres),
  ].join('\n');
}
