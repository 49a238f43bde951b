import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digestTree, parseFilePath, parsePath, parseWritablePath, storedPathOf } from './artifact-rules.ts';

const REFUSED = { code: 'INVALID_PARAMETER_VALUE', message: expect.stringMatching(/^Invalid path/) };

describe('paths', () => {
  test.each([
    '../a',
    'a/../b',
    'a/..',
    '%2e%2e/a',
    '%252e%252e%252fa',
    'a%2f..%2f..%2fetc',
    '/etc/passwd',
    '%2Fetc/passwd',
    '//etc',
    'C:/x',
    'c%3A/x',
    'a\\b',
    'a%5Cb',
    '..\\a',
    'a#b',
    'a%2523b',
    'file:///etc/passwd',
    'FILE:a',
    'file%3A//x',
    'a\0b',
    'a%00b',
    'a%0Ab',
    'a\u0085',
    '\ud800',
    'a%ff',
    'x'.repeat(2001),
    'd/'.repeat(101),
    '%25252525252525252525252541',
  ])('%j is refused', (path) => {
    expect(() => parsePath(path)).toThrow(expect.objectContaining(REFUSED));
  });

  test.each([
    ['', ''],
    ['.', ''],
    ['./', ''],
    ['a//b/', 'a/b'],
    ['a/./b', 'a/b'],
    ['a%20b', 'a b'],
    ['100%', '100%'],
    ['50%25 off', '50% off'],
    ['...', '...'],
    ['a..b/..c', 'a..b/..c'],
    ['ü/日本.txt', 'ü/日本.txt'],
    ['%C3%BC', 'ü'],
    ['a%25step%253%25timestamp%251795519558123%25rf.png', 'a%step%3%timestamp%1795519558123%rf.png'],
    ['a%step%99%C3%BC%17', 'a%step%99ü%17'],
    ['a:b', 'a:b'],
  ])('%j is %j', (given, path) => {
    expect(parsePath(given)).toBe(path);
  });

  test.each(['', '.', './.', '%2e'])('%j is no file', (path) => {
    expect(() => parseFilePath(path)).toThrow(expect.objectContaining(REFUSED));
  });

  test.each(['model-versions', 'model-versions/1/MLmodel', './model-versions//x', 'model%2Dversions/1'])('%j is sealed', (path) => {
    expect(() => parseWritablePath(path)).toThrow(expect.objectContaining(REFUSED));
  });

  const hostile = fc.string({ unit: fc.constantFrom('a', '.', '/', '%', '2', 'e', 'F', '5', 'c', '\\', ':', '#', '\0', 'ü', '0') });
  test('whatever is taken stays below the root and is taken again as it is', () => {
    fc.assert(
      fc.property(hostile, (given) => {
        let path: string;
        try {
          path = parsePath(given);
        } catch (error) {
          expect(error).toMatchObject(REFUSED);
          return;
        }
        const segments = path === '' ? [] : path.split('/');
        expect(segments.some((segment) => segment === '' || segment === '.' || segment === '..')).toBe(false);
        expect(/[\\#\0]/.test(path)).toBe(false);
        expect(parsePath(path)).toBe(path);
      }),
      { numRuns: 2000 },
    );
  });

  test('encoding a path any number of times changes nothing', () => {
    const plain = fc
      .string({ unit: fc.constantFrom('a', 'b', ' ', '.', '-', 'é', '/') })
      .filter((path) => !/^\/|(^|\/)\.\.?(\/|$)/.test(path));
    fc.assert(
      fc.property(plain, fc.integer({ min: 0, max: 5 }), (path, times) => {
        let encoded = path;
        for (let i = 0; i < times; i++) encoded = encodeURIComponent(encoded);
        expect(parsePath(encoded)).toBe(parsePath(path));
      }),
      { numRuns: 300 },
    );
  });
});

test.each([
  ['mlflow-artifacts:/1/r/artifacts', '1/r/artifacts'],
  ['mlflow-artifacts:', ''],
  ['mlflow-artifacts:/', ''],
  ['mlflow-artifacts://host:5000/1/r', '1/r'],
  ['http://host:5000/api/2.0/mlflow-artifacts/artifacts/1/r', '1/r'],
  ['https://host/prefix/api/2.0/mlflow-artifacts/artifacts', ''],
  ['s3://bucket/1/r', undefined],
  ['file:///1/r', undefined],
  ['http://host/other', undefined],
])('%s leads to %j', (uri, path) => {
  expect(storedPathOf(uri)).toBe(path);
});

describe('the digest of a tree', () => {
  const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

  test('is that of the written format', () => {
    const entries = [
      { path: 'b', sha256: digestOf('two'), sizeBytes: 3 },
      { path: 'a/ü', sha256: digestOf('one'), sizeBytes: 3 },
    ];
    const manifest = `[{"path":"a/ü","sha256":"${digestOf('one')}","size":3},{"path":"b","sha256":"${digestOf('two')}","size":3}]`;
    const { digest, signingRoot } = digestTree(entries);
    expect(digest).toBe(digestOf(`countersign.manifest.v1\n${manifest}`));
    expect(signingRoot).toBe(
      createHash('sha256')
        .update(Buffer.from(digestOf('one') + digestOf('two'), 'hex'))
        .digest('hex'),
    );
  });

  test('orders by bytes, not by UTF-16', () => {
    const [high, low] = ['\u{1F600}', '\uFB01'];
    const entries = [high, low].map((path) => ({ path, sha256: digestOf(path), sizeBytes: 1 }));
    const expected = createHash('sha256')
      .update(Buffer.from(digestOf(low) + digestOf(high), 'hex'))
      .digest('hex');
    expect(digestTree(entries).signingRoot).toBe(expected);
  });

  test('depends on every path, digest and size, and on no order', () => {
    const entry = fc.record({ path: fc.string({ unit: 'grapheme' }), sha256: fc.string().map(digestOf), sizeBytes: fc.nat() });
    const tree = fc.uniqueArray(entry, { selector: ({ path }) => path, minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(tree, fc.nat(), (entries, pick) => {
        const { digest } = digestTree(entries);
        expect(digestTree([...entries].reverse()).digest).toBe(digest);
        const changed = entries.map((one, i) => (i === pick % entries.length ? { ...one, sizeBytes: one.sizeBytes + 1 } : one));
        expect(digestTree(changed).digest).not.toBe(digest);
        const renamed = entries.map((one, i) => (i === pick % entries.length ? { ...one, path: `${one.path}x-renamed` } : one));
        expect(digestTree(renamed).digest).not.toBe(digest);
      }),
      { numRuns: 100 },
    );
  });
});
