/**
 * Bundles the command line and the server by esbuild: few files, so that a start is fast. Runs on Node 18 or newer.
 *
 * Workers: every `packages/server/src/**\/*.worker.ts` becomes `dist/workers/<name>.worker.js`. Code that starts one asks `import.meta.url`:
 * in a bundle the file is `./workers/<name>.worker.js` beside the chunk's folder, from source `./<name>.worker.ts` beside the file itself.
 */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'dist' ? [] : sources(path);
    return path.endsWith('.ts') && !path.endsWith('.test.ts') ? [path] : [];
  });
}

function modifiedAt(path) {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

/** True if something was built; a build with nothing changed is skipped. */
export async function build() {
  const files = sources(join(root, 'packages'));
  const out = join(root, 'packages/cli/dist/main.js');
  const newest = Math.max(...[...files, join(root, 'package-lock.json'), fileURLToPath(import.meta.url)].map(modifiedAt));
  if (modifiedAt(out) > newest) return false;
  const { build: bundle } = await import('esbuild');
  const workers = files.filter((file) => file.endsWith('.worker.ts'));
  const common = {
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: 'linked',
    logLevel: 'warning',
    external: ['pg-native'],
    // CommonJS dependencies ask for `require`.
    banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
    chunkNames: 'chunk-[hash]',
  };
  const entryPoints = (main) => [
    { in: main, out: 'main' },
    ...workers.map((file) => ({ in: file, out: `workers/${basename(file, '.ts')}` })),
  ];
  await bundle({
    ...common,
    entryPoints: entryPoints(join(root, 'packages/server/src/main.ts')),
    outdir: join(root, 'packages/server/dist'),
  });
  await bundle({ ...common, entryPoints: entryPoints(join(root, 'packages/cli/src/main.ts')), outdir: join(root, 'packages/cli/dist') });
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
