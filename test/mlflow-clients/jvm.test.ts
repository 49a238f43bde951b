/** The JVM client (org.mlflow:mlflow-client) in its registry flow, on both databases, where Java and Maven are. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const SOURCES = resolve(import.meta.dirname, 'jvm');
const CACHE = resolve(import.meta.dirname, '../../.cache/jvm');
const CLASS_PATH = [join(CACHE, 'jars', '*'), join(CACHE, 'classes')].join(delimiter);

const POM = join(SOURCES, 'pom.xml');
const PROGRAMS = ['java', 'javac', 'mvn'];

const isFull = process.env.COUNTERSIGN_TEST_FULL === '1';
const isThere = PROGRAMS.every((program) => spawnSync(program, ['-version']).status === 0);
if (!isThere) process.stderr.write(`The JVM client is skipped: of ${PROGRAMS.join(', ')} not all are here.\n`);

function run(program: string, args: readonly string[]): string {
  const result = spawnSync(program, args, { encoding: 'utf8', cwd: CACHE });
  if (result.status !== 0) throw new Error(`${program} ended with ${result.status}: ${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** The jars of the pom, kept until it changes. */
function fetchJars(): void {
  const stamp = join(CACHE, 'pom.xml');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === readFileSync(POM, 'utf8')) return;
  rmSync(CACHE, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  run('mvn', ['-q', '-B', '-f', POM, 'dependency:copy-dependencies', `-DoutputDirectory=${join(CACHE, 'jars')}`]);
  copyFileSync(POM, stamp);
}

describe.skipIf(!isThere)('the JVM client', () => {
  let isReady = false;
  beforeAll(() => {
    try {
      fetchJars();
    } catch (error) {
      // A run without Maven Central is worth something still; the full run is not.
      if (isFull) throw error;
      process.stderr.write(`The JVM client is skipped: ${String(error).slice(0, 500)}\n`);
      return;
    }
    run('javac', ['-encoding', 'UTF-8', '-cp', CLASS_PATH, '-d', join(CACHE, 'classes'), join(SOURCES, 'Registry.java')]);
    isReady = true;
  }, 300_000);

  onBothDatabases('its flow', (databaseUrl) => {
    let server: RunningServer;
    beforeAll(async () => {
      server = await startServer({ databaseUrl: await databaseUrl() });
    }, 120_000);
    afterAll(async () => {
      await server.stop();
    });

    it('keeps a run, registers, promotes, searches and rolls back', (context) => {
      context.skip(!isReady);
      expect(run('java', ['-cp', CLASS_PATH, 'Registry', server.url])).toContain('ok');
    }, 120_000);
  });
});
