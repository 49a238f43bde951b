import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, expect, test } from 'vitest';
import { FileRoots } from './file-roots.ts';

const folder = mkdtempSync(join(tmpdir(), 'file-roots-'));
afterAll(() => rmSync(folder, { recursive: true }));
const root = join(folder, 'named');
mkdirSync(join(root, 'run', 'dir'), { recursive: true });
mkdirSync(join(folder, 'named-too'));
writeFileSync(join(root, 'run', 'a.txt'), 'hello');
writeFileSync(join(root, 'run', 'dir', 'b.txt'), '');
writeFileSync(join(folder, 'secret'), 'secret');
symlinkSync(join(folder, 'secret'), join(root, 'run', 'link'));
symlinkSync(folder, join(root, 'up'));
symlinkSync(join(root, 'run', 'a.txt'), join(root, 'run', 'inner'));
const roots = new FileRoots([root]);

test('files under a named folder are listed and read; links that lead outside are not there', async () => {
  expect(await roots.list(join(root, 'run'), '')).toEqual([
    { name: 'a.txt', isDirectory: false, sizeBytes: 5 },
    { name: 'dir', isDirectory: true, sizeBytes: 0 },
    { name: 'inner', isDirectory: false, sizeBytes: 5 },
  ]);
  const file = await roots.find(root, 'run/inner');
  expect(file && (await text(roots.read(file)))).toBe('hello');
  expect(await roots.find(root, 'run/link')).toBeUndefined();
  expect(await roots.find(root, 'up/secret')).toBeUndefined();
});

test('other folders are refused, also those whose name begins alike', async () => {
  await expect(roots.list(folder, '')).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  await expect(roots.find(join(folder, 'named-too'), 'x')).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  await expect(roots.find(`${root}/../`, 'secret')).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  await expect(new FileRoots([]).list(root, '')).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
});

test('a folder that nobody wrote yet is empty', async () => {
  expect(await roots.list(join(root, 'later'), 'x')).toEqual([]);
  expect(await roots.find(join(root, 'later'), 'x')).toBeUndefined();
});

test('a file is written with the directories above it, never through a link', async () => {
  await roots.write(join(root, 'new', 'run'), 'dir/c.txt', Buffer.from('written'));
  const file = await roots.find(join(root, 'new', 'run'), 'dir/c.txt');
  expect(file && (await text(roots.read(file)))).toBe('written');
  await expect(roots.write(root, 'up/planted', Buffer.from('x'))).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  await expect(roots.write(root, 'up/made/planted', Buffer.from('x'))).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  await expect(roots.write(folder, 'planted', Buffer.from('x'))).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  await expect(roots.write(root, 'run/a.txt/below', Buffer.from('x'))).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  await expect(roots.write(root, 'run/dir', Buffer.from('x'))).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  await roots.write(root, 'run/link', Buffer.from('mine'));
  expect(readFileSync(join(folder, 'secret'), 'utf8')).toBe('secret');
  expect(readdirSync(folder).sort()).toEqual(['named', 'named-too', 'secret']);
});
