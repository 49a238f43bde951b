import { describe, expect, it } from 'vitest';
import { deliveryId, isoTime, pauseMs } from './delivery-rules.ts';
import { payloadOf, type ToldEvent } from './payload-rules.ts';
import { isPublicAddress } from './public-address.ts';
import { quoted } from './webhook-rules.ts';

const event = (type: string, data: ToldEvent['data'], texts: Record<string, string>, isPrompt: boolean): ToldEvent => ({
  type,
  data,
  texts: new Map(Object.entries(texts)),
  model: { name: 'greeting', isPrompt },
  versionNumber: 3,
});

describe('what is told', () => {
  it("a prompt's version is told with its template, without the marks of prompts", () => {
    const tags = ['mlflow.prompt.is_prompt', '_mlflow_prompt_type', 'mlflow.prompt.text', 'team'];
    const texts = {
      'tag:mlflow.prompt.is_prompt': 'true',
      'tag:_mlflow_prompt_type': 'text',
      'tag:mlflow.prompt.text': 'Hi {{x}}',
      'tag:team': 'a',
    };
    expect(payloadOf(event('model-version.created', { number: 1, tags }, texts, true))).toEqual({
      entity: 'prompt_version',
      action: 'created',
      data: { name: 'greeting', version: '1', template: 'Hi {{x}}', tags: { team: 'a' }, description: null },
    });
  });

  it('tags of prompts are told, tags of registered models are not', () => {
    expect(payloadOf(event('registered-model.tag-set', { key: 'k' }, { value: 'v' }, true))?.entity).toBe('prompt_tag');
    expect(payloadOf(event('registered-model.tag-set', { key: 'k' }, { value: 'v' }, false))).toBeUndefined();
  });

  it('what was erased is left out, and a purged model is not told', () => {
    expect(payloadOf(event('registered-model.created', { name: 'm', tags: ['a'] }, {}, false))?.data).toEqual({
      name: 'm',
      tags: {},
      description: '',
    });
    expect(payloadOf({ ...event('alias.deleted', { alias: 'x' }, {}, false), model: undefined })).toBeUndefined();
  });
});

describe('how it is sent', () => {
  it('an event has one id for a webhook, another for another', () => {
    expect(deliveryId('w', 1)).toBe(deliveryId('w', 1));
    expect(new Set([deliveryId('w', 1), deliveryId('w', 2), deliveryId('v', 1)]).size).toBe(3);
  });

  it('pauses grow to a minute; a Retry-After takes their place, up to a minute', () => {
    expect([1, 2, 3, 4, 20].map((retry) => pauseMs(retry, 0, undefined, 0))).toEqual([0, 2000, 4000, 8000, 60_000]);
    expect(pauseMs(1, 0.5, '2', 0)).toBe(2000);
    expect(pauseMs(1, 0.5, '86400', 0)).toBe(60_000);
    expect(pauseMs(1, 0, 'Thu, 01 Jan 1970 00:00:09 GMT', 4000)).toBe(5000);
  });

  it('times have microseconds and an offset', () => {
    expect(isoTime(1_764_000_000_123)).toBe('2025-11-24T16:00:00.123000+00:00');
  });

  it('texts are shown as Python shows them', () => {
    expect([quoted('a'), quoted("it's"), quoted('a\\b')]).toEqual(["'a'", `"it's"`, "'a\\\\b'"]);
  });
});

describe('public addresses', () => {
  it.each(['8.8.8.8', '2606:4700::1', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '2002:808:808::1'])('%s is one', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.1.2.3',
    '169.254.169.254',
    '172.31.0.1',
    '192.168.1.1',
    '224.0.0.1',
    '255.255.255.255',
  ])('%s is none', (address) => expect(isPublicAddress(address)).toBe(false));
  it.each(['::', '::1', 'fe80::1%eth0', 'fc00::1', 'ff02::1', '2001:db8::1', '::ffff:127.0.0.1', '64:ff9b::a00:1', '2002:a00:1::', 'no'])(
    '%s is none',
    (address) => expect(isPublicAddress(address)).toBe(false),
  );
});
