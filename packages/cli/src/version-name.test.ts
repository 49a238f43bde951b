import { describe, expect, it } from 'vitest';
import type { Caller } from './caller.ts';
import { findVersion, readVersion } from './version-name.ts';

describe('a version', () => {
  it.each([
    ['fraud/7', 'fraud', { kind: 'number', version: 7 }],
    ['models:/fraud/7', 'fraud', { kind: 'number', version: 7 }],
    ['fraud@champion', 'fraud', { kind: 'alias', alias: 'champion' }],
    ['models:/fraud@champion', 'fraud', { kind: 'alias', alias: 'champion' }],
    ['a@b@champion', 'a@b', { kind: 'alias', alias: 'champion' }],
    ['a@b/7', 'a@b', { kind: 'number', version: 7 }],
    ['fraud:Production', 'fraud', { kind: 'stage', stage: 'Production' }],
    ['models:/fraud/Production', 'fraud', { kind: 'stage', stage: 'Production' }],
    ['my model/Production', 'my model', { kind: 'stage', stage: 'Production' }],
    ['models:/fraud/latest', 'fraud', { kind: 'newest' }],
    ['fraud@latest', 'fraud', { kind: 'newest' }],
  ] as const)('is read from %s', (text, name, place) => {
    expect(readVersion(text)).toEqual({ name, place });
  });

  it.each([
    '',
    'fraud',
    'fraud/',
    '/7',
    'fraud/0',
    'fraud/07',
    'fraud:7',
    'fraud/7/8',
    'fraud@',
    '@champion',
    'models:/',
    'runs:/abc/model',
  ])("isn't read from '%s'", (text) => {
    expect(() => readVersion(text)).toThrow(/MODEL\/NUMBER/);
  });

  it('is asked for where no number is given', async () => {
    const asked: unknown[] = [];
    const answers = {
      getAlias: { holder: { version: 3 } },
      getStage: { versions: [{ version: 2 }, { version: 5 }], stage: 'Production' },
      listVersions: { versions: [{ version: 9 }] },
    };
    const ask = (async (id: keyof typeof answers, input: unknown) => {
      asked.push([id, input]);
      return answers[id];
    }) as unknown as Caller['ask']; // three of its endpoints
    expect(await findVersion(ask, 'fraud/7')).toEqual({ name: 'fraud', version: 7 });
    expect(asked).toEqual([]);
    expect(await findVersion(ask, 'fraud@champion')).toEqual({ name: 'fraud', version: 3 });
    expect(await findVersion(ask, 'fraud:production')).toEqual({ name: 'fraud', version: 5 });
    expect(await findVersion(ask, 'models:/fraud/latest')).toEqual({ name: 'fraud', version: 9 });
    expect(asked[1]).toEqual(['getStage', { params: { name: 'fraud', stage: 'production' }, query: {} }]);
    const nobody = (async (id: string) => ({ holder: null, versions: [], stage: id })) as unknown as Caller['ask'];
    for (const text of ['fraud@x', 'fraud:x', 'fraud@latest'])
      await expect(findVersion(nobody, text)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
  });
});
