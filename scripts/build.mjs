/**
 * Bundles the command line and the server, and what they need of npm's packages, by esbuild: few files, so that a start is fast. Runs on
 * Node 18 or newer. A build with nothing changed is skipped. Nothing here takes a lock: scripts/prepare.mjs does.
 *
 * Workers: every `packages/server/src/**\/NAME.worker.ts` is an entry of its own, `workers/NAME.worker.js` in each `dist` folder, so names
 * are unique. Code that starts one asks `import.meta.url`: where it ends in `.ts` the worker is `./NAME.worker.ts` beside the file itself,
 * in a bundle `./workers/NAME.worker.js`, since all chunks lie in the `dist` folder itself.
 */
import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const packages = ['contract', 'server', 'cli'].map((name) => join(root, 'packages', name));
const programs = ['server', 'cli'];
/** Dated to the start of the last complete build; written last. bin/countersign compares with it. */
const stamp = join(root, 'packages/cli/dist/.built');
/** A running program may still load chunks of an older build at first use. */
const KEEP_OLD_CHUNKS_MS = 24 * 3_600_000;

/** Everything below, folders too: a deletion shows only in its folder's time. */
function everythingIn(folder) {
  return [
    folder,
    ...readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? everythingIn(path) : [path];
    }),
  ];
}

function modifiedAt(path) {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

/** Resolves to true if something was built. */
export async function build() {
  const startedAt = new Date();
  const sources = packages.flatMap((folder) => everythingIn(join(folder, 'src'))).filter((path) => !path.endsWith('.test.ts'));
  const settings = [
    ...packages.map((folder) => join(folder, 'package.json')),
    join(root, 'package-lock.json'),
    fileURLToPath(import.meta.url),
  ];
  const builtAt = modifiedAt(stamp);
  if ([...sources, ...settings].every((path) => modifiedAt(path) <= builtAt)) return false;
  const workers = sources.filter((path) => path.endsWith('.worker.ts'));
  const esbuild = await import('esbuild');
  await Promise.all(programs.map((name) => bundle(esbuild, name, workers)));
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, '');
  utimesSync(stamp, startedAt, startedAt);
  return true;
}

async function bundle(esbuild, name, workers) {
  const outdir = join(root, 'packages', name, 'dist');
  const { metafile } = await esbuild.build({
    entryPoints: [
      { in: join(root, 'packages', name, 'src/main.ts'), out: 'main' },
      ...workers.map((file) => ({ in: file, out: `workers/${basename(file, '.ts')}` })),
    ],
    outdir,
    absWorkingDir: root,
    bundle: true,
    // What is imported at first use stays in files of its own, so that `--help` doesn't load the server.
    splitting: true,
    chunkNames: 'chunk-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: 'linked',
    metafile: true,
    logLevel: 'warning',
    // `pg` asks for it and goes on without.
    external: ['pg-native'],
    // CommonJS packages ask for `require`.
    banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
  });
  const written = new Set(Object.keys(metafile.outputs).map((path) => resolve(root, path)));
  for (const path of everythingIn(outdir)) {
    const isOurs = /\.js(\.map)?$/.test(path);
    if (isOurs && !written.has(path) && Date.now() - modifiedAt(path) > KEEP_OLD_CHUNKS_MS) rmSync(path, { force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const startedAt = Date.now();
  const isNew = await build();
  process.stderr.write(`countersign: ${isNew ? `built in ${Date.now() - startedAt} ms` : 'nothing changed since the last build'}\n`);
}
