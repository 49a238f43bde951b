import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chainHash, commitment, type EventFact, firstPrevious, inOrder } from './event-rules.ts';

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

  it('facts in order are written with the bytes of RFC 8785', () => {
    const text = fc.string({ unit: 'grapheme' });
    const name = text.filter((each) => !/^\d|^__proto__$/.test(each));
    const facts = fc.letrec<{ fact: EventFact }>((tie) => ({
      fact: fc.oneof(
        { maxDepth: 4 },
        text,
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('fact')),
        fc.dictionary(name, tie('fact'), { noNullPrototype: true }),
      ),
    })).fact;
    fc.assert(fc.property(facts, (fact) => JSON.stringify(inOrder(fact)) === canonicalize(fact)));
  });

  it('facts without such a form are never hashed', () => {
    expect(() => inOrder({ at: Number.NaN })).toThrow(TypeError);
    expect(() => inOrder({ '10': 1, '9': 2 })).toThrow(TypeError);
  });
});
