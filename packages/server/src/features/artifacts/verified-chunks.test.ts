import { describe, expect, it } from 'vitest';
import { missingUnlessBusy } from './verified-chunks.ts';

const failure = (code: string): Error => Object.assign(new Error(code), { code });

describe('a sealed file that cannot be read', () => {
  it('is damaged where it is gone or the disk fails', () => {
    expect(missingUnlessBusy(failure('ENOENT'))).toBeUndefined();
    expect(missingUnlessBusy(failure('EIO'))).toBeUndefined();
  });

  it('is not where the process has no descriptors or memory left', () => {
    for (const code of ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']) expect(() => missingUnlessBusy(failure(code))).toThrow(code);
  });
});
