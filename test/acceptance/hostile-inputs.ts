/** Paths, filters, names and bodies that no client should send. */

/** As they stand in a URL. */
export const OUTSIDE_PATHS = [
  '../x',
  '..%2fx',
  '%2e%2e/x',
  '%2e%2e%2fx',
  '..%5cx',
  '%252e%252e%252fx',
  '%25252e%25252e%25252fx',
  'a/../../x',
  'a/%2e%2e/%2e%2e/x',
  'a/..',
  '..',
  '%2e%2e',
  '%2Fetc%2Fpasswd',
  '%252Fetc%252Fpasswd',
  'file:%2F%2F%2Fetc%2Fpasswd',
  'a%00b',
  'a%2500b',
  'a%0ab',
  'a%7fb',
  '%ff%fe',
  '%c0%ae%c0%ae/x',
  'a%5c..%5c..%5cx',
];
/** Only in a path: in a query they name the root, or can't be told from others. */
export const EMPTY_PATHS = ['', '.', './', '%2e', '/', '//etc/passwd', '%', '%zz'];

export const BROKEN_FILTERS = [
  'name',
  'name =',
  "name = 'a",
  'name LIKE',
  "1=1; DROP TABLE runs; --'",
  "name = 'a' OR name = 'b'",
  "(name = 'a'",
  'name IN (',
  "name ~ 'x'",
  'name = \u0000',
  "nowhere.x = 'y'",
  "tags.` = 'x'",
  `name = '${'('.repeat(5000)}`,
  '('.repeat(50_000),
];
export const BROKEN_ORDERS = [
  ['; DROP TABLE runs'],
  ['nowhere ASC'],
  ['name SIDEWAYS'],
  [''],
  ['name ASC, name DESC'],
  'not a list',
  [1],
  [{}],
];
export const BROKEN_TOKENS = [
  'zzz',
  '-1',
  '\u0001',
  '%%%',
  Buffer.from('{"offset":-1}').toString('base64'),
  Buffer.from('{}').toString('base64'),
  Buffer.from('999999999999999999999').toString('base64'),
];
export const BROKEN_LIMITS = [-1, 'x', 1.5, 10_000_000_000, '9223372036854775808', [], {}];

export const UNTAKEN_NAMES = [
  '',
  ' ',
  'a/b',
  'a:b',
  '.',
  '..',
  '../x',
  'a\u0000b',
  '\ud800',
  'line\nbreak',
  '\u0007',
  5,
  true,
  [],
  {},
  null,
];
export const UNTAKEN_KEYS = ['', 'a\u0000b', '\ud800', '../x', '/a', 'a//b', 'a?b', 'x'.repeat(5000), 5, [], {}, null];

export const BROKEN_BODIES: readonly (readonly [title: string, body: string | Buffer, type?: string])[] = [
  ['a list', '[1]'],
  ['a list with an object', '[{"name":"x"}]'],
  ['a number', '123'],
  ['a text', '"text"'],
  ['true', 'true'],
  ['cut JSON', '{"name": "x'],
  ['a bare NaN', '{"name":"x","value":NaN,"experiment_id":NaN}'],
  ['a trailing comma', '{"name":"x",}'],
  ['two documents', '{}{}'],
  ['invalid UTF-8', Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xff, 0xfe, 0xc0]), Buffer.from('"}')])],
  ['UTF-16', Buffer.from('{"name":"x"}', 'utf16le')],
  ['lists in lists', '['.repeat(100_000)],
  ['objects in objects', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`],
  ['a text of objects in objects', JSON.stringify(`${'{"a":'.repeat(500)}1${'}'.repeat(500)}`)],
  ['plain text', '{"name":"plain"}', 'text/plain'],
  ['a form', 'name=form', 'application/x-www-form-urlencoded'],
  ['XML', '<name>x</name>', 'application/xml'],
];
