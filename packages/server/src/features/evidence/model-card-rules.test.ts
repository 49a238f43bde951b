import { expect, test } from 'vitest';
import { writtenSections } from './model-card-rules.ts';

test.each<[string, string, string[]]>([
  ['counts with text below it', '# Intended use\nScores applicants.\n', ['Intended use']],
  ['does not without', '# Intended use\n\n# Limits\nNone known.', ['Limits']],
  ['counts where a subsection has text', '# Data\n## Training\nRows.\n## Test\n', ['Data', 'Training']],
  ['is underlined as well', 'Intended use\n====\ntext\n\nLimits\n---\ntext', ['Intended use', 'Limits']],
  ['may end in marks', '## Limits ##\ntext', ['Limits']],
  ['is none within code, which is text', '# Use\n```sh\n# not a heading\n```\n# Empty\n```\n```\n', ['Use']],
  ['is not written by a comment', '# Use\n<!-- describe\nit -->\n', []],
  ['is not written by what a template leaves', '# Use\n[More Information Needed]\n# Limits\nTODO\n', []],
  ['is not written by a rule', '# Use\n\n---\n***\n', []],
  ['is no front matter', '---\ntags: x\n---\n# Use\ntext', ['Use']],
  ['stands once', '# Use\ntext\n# Use\nmore', ['Use']],
  ['needs a blank after its marks', '#hashtag\ntext', []],
  ['may be of any line end', '# Use\r\ntext\r\n# Limits\rtext', ['Use', 'Limits']],
])('a section %s', (_name, markdown, sections) => {
  expect(writtenSections(markdown)).toEqual(sections);
});

test('a long text of one kind is read in no time', () => {
  const start = performance.now();
  for (const piece of ['#', '-', '=', '`', '<!--', '# a\n', '--->', ' ', '[']) writtenSections(piece.repeat(200_000));
  expect(performance.now() - start).toBeLessThan(3000);
});
