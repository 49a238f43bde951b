import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { chainHash, commitment, firstPrevious } from './event-rules.ts';

describe('how events are hashed', () => {
  it('is SHA-256 over the label, the position, the hash before and the body', () => {
    const previous = firstPrevious('server');
    const bytes = Buffer.concat([
      Buffer.from('countersign.event.v1\n'),
      Buffer.from([0, 0, 0, 0, 0, 0, 1, 2]),
      previous,
      Buffer.from('{"a":"é"}', 'utf8'),
    ]);
    expect(chainHash(258, previous, '{"a":"é"}').equals(createHash('sha256').update(bytes).digest())).toBe(true);
  });

  it('the first event follows from the id of the server', () => {
    expect(firstPrevious('abc').toString('hex')).toBe(createHash('sha256').update('abc').digest('hex'));
  });

  it('a commitment binds a text and its salt', () => {
    const salt = Buffer.alloc(16, 7);
    expect(commitment(salt, 'a')).not.toBe(commitment(salt, 'b'));
    expect(commitment(salt, 'a')).not.toBe(commitment(Buffer.alloc(16, 8), 'a'));
  });
});
