// Brings a server to the point where it can be measured: seeded, restarted, idle memory known.
import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatasetSizes, SeededDataset } from './dataset.ts';
import { type MeasuredServer, measuredServer } from './measuring.ts';
import { type MemoryUse, treeMemory } from './process-tree.ts';
import { keptDir, scratchDir } from './project-paths.ts';
import { seed } from './seeding.ts';
import { type ServerKind, startServer } from './server-process.ts';

export type ServerFacts = {
  readonly server: ServerKind;
  /** Start on an empty folder, schema included; absent when the seeded data was kept from an earlier run. */
  readonly firstStartMs?: number;
  /** Start on the seeded data. */
  readonly startMs: number;
  readonly idle: MemoryUse;
  readonly seededInSeconds?: number;
  readonly isSealedElsewhere: boolean;
};

export type PreparedServer = { readonly server: MeasuredServer; readonly facts: ServerFacts };

const settleMs = 2_000;

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

function emptyFolder(name: string): string {
  const dataDir = join(scratchDir, name);
  rmSync(dataDir, { recursive: true, force: true });
  rmSync(`${dataDir}.log`, { force: true });
  return dataDir;
}

type Seeding = { readonly data: SeededDataset; readonly firstStartMs: number; readonly seconds: number };

async function seedFresh(kind: ServerKind, dataDir: string, sizes: DatasetSizes): Promise<Seeding> {
  const fresh = await startServer(kind, dataDir);
  const startedAt = performance.now();
  try {
    const data = await seed(fresh.port, sizes, kind === 'countersign' || kind === 'bare');
    return { data, firstStartMs: fresh.startMs, seconds: (performance.now() - startedAt) / 1000 };
  } finally {
    await fresh.stop();
  }
}

/** MLflow takes minutes to seed, so its seeded folder is kept between runs and copied for each. */
async function seedMlflow(dataDir: string, sizes: DatasetSizes): Promise<SeededDataset> {
  const seededDir = join(keptDir, `mlflow-seed-${Object.values(sizes).join('-')}`);
  const factsFile = 'seeded.json';
  if (!existsSync(join(seededDir, factsFile))) {
    say('seeding MLflow once for all later runs (a few minutes) …');
    const freshDir = emptyFolder('mlflow-seed');
    const { data } = await seedFresh('mlflow-leanest', freshDir, sizes);
    writeFileSync(join(freshDir, factsFile), JSON.stringify(data));
    rmSync(seededDir, { recursive: true, force: true });
    renameSync(freshDir, seededDir); // whole or not at all
  }
  cpSync(seededDir, dataDir, { recursive: true });
  return JSON.parse(readFileSync(join(dataDir, factsFile), 'utf8'));
}

/** Starts a server on an empty folder, seeds it, and starts it again. */
export async function prepareServer(kind: ServerKind, sizes: DatasetSizes, folder: string = kind): Promise<PreparedServer> {
  const dataDir = emptyFolder(folder);
  const isMlflow = kind.startsWith('mlflow');
  say(`preparing ${folder} …`);
  const seeding = isMlflow ? undefined : await seedFresh(kind, dataDir, sizes);
  const data = seeding?.data ?? (await seedMlflow(dataDir, sizes));
  const running = await startServer(kind, dataDir);
  await sleep(settleMs);
  const facts: ServerFacts = {
    server: kind,
    startMs: running.startMs,
    idle: treeMemory(running.pid),
    isSealedElsewhere: data.isSealedElsewhere,
    ...(seeding === undefined ? {} : { firstStartMs: seeding.firstStartMs, seededInSeconds: seeding.seconds }),
  };
  return { server: measuredServer(running, data), facts };
}

/** Stops a server and deletes its data. */
export async function discardServer(prepared: PreparedServer, folder: string = prepared.facts.server): Promise<void> {
  await prepared.server.running.stop();
  rmSync(join(scratchDir, folder), { recursive: true, force: true });
}
