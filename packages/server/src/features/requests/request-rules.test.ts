import { expect, it } from 'vitest';
import { commandFor } from './request-rules.ts';

it('what is asked for is a command that a shell reads as it is meant', () => {
  const version = { name: 'm', version: 2 };
  expect(commandFor({ op: 'stage', ...version, stage: 'Production', archiveExisting: true })).toBe(
    'countersign request create m/2 --stage Production --archive-existing',
  );
  expect(commandFor({ op: 'alias-removal', ...version, alias: 'champion' })).toBe(
    'countersign request create m/2 --alias champion --remove',
  );
  expect(commandFor({ op: 'tag', name: "Bob's", version: null, key: 'risk', value: '$(rm)' })).toBe(
    `countersign request create 'Bob'\\''s' --tag 'risk=$(rm)'`,
  );
  expect(commandFor({ op: 'registration', name: 'm' }, 'models:/dev.m/1')).toBe('countersign request create m --entry models:/dev.m/1');
  expect(commandFor({ op: 'registration', name: 'm' })).toBeUndefined();
  expect(commandFor({ op: 'setting' })).toBeUndefined();
});
