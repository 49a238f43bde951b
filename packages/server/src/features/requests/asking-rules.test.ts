import { expect, it } from 'vitest';
import { type AskedChange, type AskedSource, wayToAsk, wayToOpen } from './asking-rules.ts';

const version = { name: 'm', version: 2 };
const source: AskedSource = { source: 'models:/dev.m/1', runId: '', loggedModelId: undefined, description: undefined, tags: [] };
const commandFor = (change: AskedChange, from?: AskedSource): string | undefined => wayToAsk(change, from)?.command;

it('what is asked for is a command that a shell reads as it is meant', () => {
  expect(commandFor({ op: 'stage', ...version, stage: 'Production', archiveExisting: true })).toBe(
    'countersign request create m/2 --stage Production --archive-existing',
  );
  expect(commandFor({ op: 'alias-removal', ...version, alias: 'champion' })).toBe(
    'countersign request create m/2 --alias champion --remove',
  );
  expect(commandFor({ op: 'tag', name: "Bob's", version: null, key: 'risk', value: '$(rm)' })).toBe(
    `countersign request create 'Bob'\\''s' --tag 'risk=$(rm)'`,
  );
  expect(commandFor({ op: 'registration', name: 'm' }, source)).toBe('countersign request create m --entry models:/dev.m/1');
  const whole = { ...source, runId: '1f', loggedModelId: 'm-1', description: 'so it is', tags: [{ key: 'team', value: 'a b' }] };
  expect(commandFor({ op: 'registration', name: 'm' }, whole)).toBe(
    "countersign request create m --entry models:/dev.m/1 --run-id 1f --logged-model-id m-1 --description 'so it is' --version-tag 'team=a b'",
  );
  expect(commandFor({ op: 'registration', name: 'm' })).toBeUndefined();
  expect(commandFor({ op: 'setting' })).toBeUndefined();
});

it('and a call of the native API that says the same', () => {
  const callFor = (change: AskedChange) => wayToAsk(change, source)?.call;
  const ofVersion = { method: 'POST', path: '/api/v1/models/m/versions/2/requests' };
  expect(callFor({ op: 'stage', ...version, stage: 'UAT', archiveExisting: false })).toEqual({
    ...ofVersion,
    body: { target: { kind: 'stage', stage: 'UAT' } },
  });
  expect(callFor({ op: 'tag', ...version, key: 'risk', value: null })).toEqual({
    ...ofVersion,
    body: { target: { kind: 'tag', key: 'risk' }, change: 'leave' },
  });
  expect(callFor({ op: 'restoration', ...version })).toEqual({ ...ofVersion, body: { target: { kind: 'entry' } } });
  expect(callFor({ op: 'rename', name: 'a/b', newName: 'c' })).toEqual({
    method: 'POST',
    path: '/api/v1/models/a%2Fb/requests',
    body: { target: { kind: 'rename', new_name: 'c' } },
  });
  expect(callFor({ op: 'registration', name: 'm' })?.body).toEqual({ target: { kind: 'entry' }, source: 'models:/dev.m/1' });
});

it('in a sentence, with what is too long for a line by its call alone', () => {
  expect(wayToAsk({ op: 'alias', ...version, alias: 'champion' })?.text).toBe(
    'Ask for it: countersign request create m/2 --alias champion (by the API: POST /api/v1/models/m/versions/2/requests)',
  );
  const long = wayToAsk({ op: 'tag', ...version, key: 'note', value: 'x'.repeat(2000) });
  expect([long?.command, long?.text]).toEqual([undefined, 'Ask for it: POST /api/v1/models/m/versions/2/requests.']);
  expect(wayToAsk({ op: 'tag', ...version, key: 'note', value: 'a\nb' })?.command).toBeUndefined();
  expect(wayToOpen(12)).toMatchObject({
    text: 'Request 12 is open for it: GET /api/v1/requests/12.',
    command: 'countersign request show 12',
  });
});
