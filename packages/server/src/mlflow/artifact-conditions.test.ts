import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isUnchanged, requestedRange } from './artifact-conditions.ts';
import { contentDisposition, contentTypeOf } from './artifact-content-type.ts';

const validators = { etag: '"abc"', updatedAt: 1_700_000_000_500 };
const headers =
  (given: Record<string, string>) =>
  (name: string): string | undefined =>
    given[name];

describe('a range', () => {
  test.each([
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=5-', { start: 5, end: 99 }],
    ['bytes=5-1000', { start: 5, end: 99 }],
    ['bytes=-10', { start: 90, end: 99 }],
    ['bytes=-1000', { start: 0, end: 99 }],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=9-5', undefined],
    ['bytes=0-1,5-6', undefined],
    ['items=0-1', undefined],
    ['bytes=a-b', undefined],
    ['bytes=-', undefined],
  ])('%s of 100 bytes is %j', (range, expected) => {
    expect(requestedRange(headers({ range }), 100, validators)).toEqual(expected);
  });

  test('is always inside the file', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.option(fc.nat(300)), fc.option(fc.nat(300)), (size, from, to) => {
        const range = requestedRange(headers({ range: `bytes=${from ?? ''}-${to ?? ''}` }), size, validators);
        if (range === undefined || range === 'unsatisfiable') return;
        expect(range.start).toBeGreaterThanOrEqual(0);
        expect(range.end).toBeLessThan(size);
        expect(range.start).toBeLessThanOrEqual(range.end);
      }),
    );
  });

  test('counts only for the file it was meant for', () => {
    const range = 'bytes=0-1';
    expect(requestedRange(headers({ range, 'if-range': '"abc"' }), 100, validators)).toBeDefined();
    expect(requestedRange(headers({ range, 'if-range': '"other"' }), 100, validators)).toBeUndefined();
  });
});

test.each([
  [{ 'if-none-match': '"abc"' }, true],
  [{ 'if-none-match': 'W/"abc", "x"' }, true],
  [{ 'if-none-match': '*' }, true],
  [{ 'if-none-match': '"x"' }, false],
  [{ 'if-none-match': '"x"', 'if-modified-since': new Date(1_800_000_000_000).toUTCString() }, false],
  [{ 'if-modified-since': new Date(1_700_000_000_000).toUTCString() }, true],
  [{ 'if-modified-since': new Date(1_600_000_000_000).toUTCString() }, false],
  [{ 'if-modified-since': 'yesterday' }, false],
  [{}, false],
])('with %j the file is unchanged: %s', (given, expected) => {
  expect(isUnchanged(headers(given as Record<string, string>), validators)).toBe(expected);
});

test.each([
  ['MLmodel', 'text/plain'],
  ['dir/conda.yaml', 'text/plain'],
  ['a.JSON', 'text/plain'],
  ['b.pkl', 'application/octet-stream'],
  ['noextension', 'application/octet-stream'],
  ['c.png', 'image/png'],
  ['d.pdf', 'application/pdf'],
  ['e.html', 'text/plain'],
  ['e.htm', 'text/plain'],
  ['e.xhtml', 'text/plain'],
  ['f.svg', 'text/plain'],
  ['f.SVGZ', 'text/plain'],
  ['g.mjs', 'text/plain'],
  ['h.css', 'text/plain'],
  ['i.xsl', 'text/plain'],
  ['j.rss', 'text/plain'],
])('%s is served as %s', (path, type) => {
  expect(contentTypeOf(path)).toBe(type);
});

test.each([
  ['dir/MLmodel', 'attachment; filename=MLmodel'],
  ['a b.txt', 'attachment; filename="a b.txt"'],
  ['a".txt', 'attachment; filename="a\\".txt"'],
  ['dog+step+20.png', 'attachment; filename=dog+step+20.png'],
  ['é.txt', "attachment; filename=e.txt; filename*=UTF-8''%C3%A9.txt"],
  ['日本', "attachment; filename=download; filename*=UTF-8''%E6%97%A5%E6%9C%AC"],
])('%s is offered as %s', (path, header) => {
  expect(contentDisposition(path)).toBe(header);
});
