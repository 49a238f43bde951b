import { describe, expect, it } from 'vitest';
import { mentionsIn } from './mention-rules.ts';

const likeliest = (text: string): (string | undefined)[] => mentionsIn(text).map((names) => names.at(-1));

describe('mentions', () => {
  it.each([
    ['@ada', ['ada']],
    ['Please look, @ada and @bob: (@carol) **@dora** _@eve_ cc:@frank', ['ada', 'bob', 'carol', 'dora', 'eve', 'frank']],
    ['@ada.lovelace, @ml/risk! @"Ada Lovelace" @zoë @риск', ['ada.lovelace', 'ml/risk', 'Ada Lovelace', 'zoë', 'риск']],
    ['@ada@example.com has seen it', ['ada@example.com']],
    ['one\n@ada\n\n> @bob\n\n- @carol\n\n    @dora, below an item', ['ada', 'bob', 'carol', 'dora']],
    ['text\n    @ada goes on with it', ['ada']],
    ['@ada @ada', ['ada']],
  ])('%j name people and groups', (text, names) => {
    expect(likeliest(text)).toEqual(names);
  });

  it.each([
    ['mail ada@example.com or <ada@example.com>, ada+x@example.com, a_@b'],
    ['https://example.com/@ada and https://example.com/?q=@ada and users/@ada'],
    ['\\@ada, @ ada, @, @@ada, @-'],
    ['`@ada` and ``a ` @ada`` and `two\nlines @ada`'],
    ['```\n@ada\n```'],
    ['~~~ python\n@decorator\n```\n@ada\n~~~'],
    ['````\n```\n@ada\n````'],
    ['```python\n@never_closed\ndef f(): pass'],
    ['- ```\n  @ada\n  ```'],
    ['> ```\n> @ada'],
    ['    @ada\n\n\t@bob'],
    ['text\n\n    @ada'],
    ['<!-- @ada -->'],
    ['<!-- @ada'],
  ])('%j name nobody', (text) => {
    expect(likeliest(text)).toEqual([]);
  });

  it('stand beside code and behind it', () => {
    expect(likeliest('`x` @ada `y\n\n@bob` \\`@carol`')).toEqual(['ada', 'bob', 'carol']);
    expect(likeliest('```\n@x\n```\n@ada\n\n> ```\n> @x\n@bob')).toEqual(['ada', 'bob']);
    expect(likeliest('- item\n\ntext\n\n    @x\n\n@ada')).toEqual(['ada']);
  });

  it('may end with what ends a sentence', () => {
    expect(mentionsIn('Ask @ada. Or @"bob."')).toEqual([['ada.', 'ada'], ['bob.']]);
  });

  it('are read quickly, whatever is written, and not without end', () => {
    expect(mentionsIn(Array.from({ length: 100 }, (_, i) => `@n${i}`).join(' '))).toHaveLength(50);
    for (const piece of ['<!--', '`', '``` ', '@', '@"', '_@', '- ', '\\`', '`` ` ', '> ', '@a.', '    ']) {
      const before = performance.now();
      mentionsIn(piece.repeat(Math.ceil(16_000 / piece.length)));
      mentionsIn(`${piece}\n`.repeat(Math.ceil(16_000 / (piece.length + 1))));
      expect(performance.now() - before, piece).toBeLessThan(300);
    }
  });
});
