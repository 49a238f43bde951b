/** What every source of master keys must do. */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { KeyService, MasterKeys } from './key-ports.ts';

/** `make` opens the same keys each time, as a start of the server does. */
export function masterKeysConformance(name: string, make: () => MasterKeys): void {
  describe(`${name} as a source of master keys`, () => {
    test('gives the same current key after a restart, and finds each by its id', async () => {
      const [one, two] = [make(), make()];
      await one.refresh();
      const key = one.current();
      await two.refresh();
      expect(two.current()).toEqual(key);
      for (const each of two.list()) expect(one.find(each.id)?.bytes.equals(each.bytes)).toBe(true);
      expect(one.find('0'.repeat(16))).toBeUndefined();
    });

    test('a new key is current, for who had the keys already too, and the old one is still found', async () => {
      const [one, two] = [make(), make()];
      await one.refresh();
      await two.refresh();
      const before = one.current();
      const added = await one.add().catch((error: Error) => error);
      // Keys of the environment are the operator's to add.
      if (added instanceof Error) return expect(added).toMatchObject({ code: 'INVALID_STATE' });
      expect(one.current()).toEqual(added);
      await two.refresh();
      expect([two.current(), two.find(before.id), two.list()[0]]).toEqual([added, before, added]);
    });
  });
}

/** What every adapter of a key service must do. */
export function keyServiceConformance(name: string, make: () => KeyService): void {
  describe(`${name} as a key service`, () => {
    test('a key comes back, and what was wrapped is another thing than the key', async () => {
      const service = make();
      const key = randomBytes(32);
      const wrapped = await service.wrap(key);
      expect(wrapped.includes(key)).toBe(false);
      expect((await service.unwrap(wrapped)).equals(key)).toBe(true);
    });

    test('what it did not wrap is refused', async () => {
      await expect(make().unwrap(randomBytes(64))).rejects.toMatchObject({ code: 'INVALID_STATE' });
    });
  });
}
