import { describe, expect, it } from 'vitest';
import { wishOf } from './request-target.ts';

describe('what a request asks for', () => {
  it.each([
    [
      { stage: 'Production', archiveExisting: true },
      { target: { kind: 'stage', stage: 'Production' }, archive_existing: true },
    ],
    [
      { alias: 'champion', comment: 'why' },
      { target: { kind: 'alias', alias: 'champion' }, comment: 'why' },
    ],
    [
      { alias: 'champion', remove: true },
      { target: { kind: 'alias', alias: 'champion' }, change: 'leave' },
    ],
    [{ tag: 'risk=low=er' }, { target: { kind: 'tag', key: 'risk', value: 'low=er' } }],
    [{ tag: 'risk=' }, { target: { kind: 'tag', key: 'risk', value: '' } }],
    [
      { tag: 'risk', remove: true },
      { target: { kind: 'tag', key: 'risk' }, change: 'leave' },
    ],
    [{ rename: 'other' }, { target: { kind: 'rename', new_name: 'other' } }],
    [{ delete: true }, { target: { kind: 'entry' }, change: 'leave' }],
    [{ restore: true }, { target: { kind: 'entry' } }],
    [
      { entry: 'runs:/1/m', runId: '1', versionTag: ['a=b'], description: 'd' },
      { target: { kind: 'entry' }, source: 'runs:/1/m', run_id: '1', tags: [{ key: 'a', value: 'b' }], description: 'd' },
    ],
  ])('%j is %j', (flags, body) => {
    expect(wishOf(flags)).toEqual(body);
  });

  it.each([
    [{}, 'exactly one of'],
    [{ stage: 'Staging', alias: 'x' }, 'exactly one of'],
    [{ delete: true, restore: true }, 'exactly one of'],
    [{ stage: 'Staging', runId: 'x' }, 'are for --entry'],
    [{ stage: 'Staging', remove: true }, '--remove is for'],
    [{ alias: 'x', archiveExisting: true }, '--archive-existing is for'],
    [{ tag: 'risk' }, 'KEY=VALUE'],
    [{ tag: 'risk=low', remove: true }, 'KEY=VALUE'],
    [{ tag: '=low' }, 'KEY=VALUE'],
  ])('%j is refused: %s', (flags, words) => {
    expect(() => wishOf(flags)).toThrow(words);
  });
});
