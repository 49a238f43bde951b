import type { FreezeWindow } from '@countersign/contract/policies.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freezeAt, thawAfter } from './freeze-rules.ts';

const BERLIN = 'Europe/Berlin';
const at = (text: string): number => Date.parse(text);
const isFrozen = (window: FreezeWindow, moment: string): boolean => freezeAt([window], at(moment)) !== undefined;
const weekly = (from: string, to: string, zone = BERLIN): FreezeWindow => ({ weekly: { from, to }, time_zone: zone });
const dated = (from: string, to: string, zone = BERLIN): FreezeWindow => ({ dated: { from, to }, time_zone: zone });

describe('a freeze', () => {
  it('every week goes by the clock on the wall, in summer as in winter', () => {
    const weekend = weekly('fri 16:00', 'mon 08:00');
    // Winter: UTC+1; summer: UTC+2.
    expect(isFrozen(weekend, '2026-01-09T14:59:59.999Z')).toBe(false);
    expect(isFrozen(weekend, '2026-01-09T15:00:00Z')).toBe(true);
    expect(isFrozen(weekend, '2026-01-12T06:59:59.999Z')).toBe(true);
    expect(isFrozen(weekend, '2026-01-12T07:00:00Z')).toBe(false);
    expect(isFrozen(weekend, '2026-07-10T13:59:59Z')).toBe(false);
    expect(isFrozen(weekend, '2026-07-10T14:00:00Z')).toBe(true);
    // Over the change of 29 March it ends by summer time.
    expect(thawAfter([weekend], at('2026-03-28T12:00:00Z'))).toBe(at('2026-03-30T06:00:00Z'));
    expect(thawAfter([weekend], at('2026-10-24T12:00:00Z'))).toBe(at('2026-10-26T07:00:00Z'));
  });

  it('in the hour that comes twice lasts over both', () => {
    // On 25 October, 03:00 summer time is 02:00 again: 00:00Z to 02:00Z is 02:00 to 03:00, twice.
    const window = weekly('sun 01:30', 'sun 02:30');
    expect(isFrozen(window, '2026-10-24T23:29:59Z')).toBe(false);
    expect(isFrozen(window, '2026-10-24T23:30:00Z')).toBe(true);
    expect(isFrozen(window, '2026-10-25T00:45:00Z')).toBe(true);
    expect(isFrozen(window, '2026-10-25T01:29:59Z')).toBe(true);
    expect(isFrozen(window, '2026-10-25T01:30:00Z')).toBe(false);
    const late = dated('2026-10-25 02:30', '2026-10-25 04:00');
    expect(isFrozen(late, '2026-10-25T00:29:59Z')).toBe(false);
    expect(isFrozen(late, '2026-10-25T00:30:00Z')).toBe(true);
    expect(isFrozen(late, '2026-10-25T01:10:00Z')).toBe(true);
  });

  it('in the hour that is left out begins and ends with the jump', () => {
    // On 29 March, 02:00 is 03:00 at once: at 01:00Z.
    expect(isFrozen(dated('2026-03-29 02:30', '2026-03-29 05:00'), '2026-03-29T00:59:59Z')).toBe(false);
    expect(isFrozen(dated('2026-03-29 02:30', '2026-03-29 05:00'), '2026-03-29T01:00:00Z')).toBe(true);
    expect(isFrozen(dated('2026-03-29 01:00', '2026-03-29 02:30'), '2026-03-29T00:59:59Z')).toBe(true);
    expect(isFrozen(dated('2026-03-29 01:00', '2026-03-29 02:30'), '2026-03-29T01:00:00Z')).toBe(false);
    expect(isFrozen(dated('2026-03-29 02:10', '2026-03-29 02:50'), '2026-03-29T01:00:00Z')).toBe(false);
  });

  it.each([
    ['Asia/Kolkata', '2026-05-04T18:30:00Z'],
    ['America/St_Johns', '2026-05-05T02:30:00Z'],
    ['Pacific/Kiritimati', '2026-05-04T10:00:00Z'],
    ['Pacific/Pago_Pago', '2026-05-05T11:00:00Z'],
    ['UTC', '2026-05-05T00:00:00Z'],
  ])('knows where midnight is in %s', (zone, midnight) => {
    const window = dated('2026-05-05 00:00', '2026-05-06T00:00', zone);
    expect(freezeAt([window], at(midnight) - 1)).toBeUndefined();
    expect(freezeAt([window], at(midnight))).toEqual({ window, end: at(midnight) + 86_400_000 });
  });

  it('knows a zone that left out a day', () => {
    // Samoa went from 29 to 31 December 2011.
    expect(isFrozen(dated('2011-12-30 12:00', '2011-12-31 01:00', 'Pacific/Apia'), '2011-12-30T09:59:59Z')).toBe(false);
    expect(isFrozen(dated('2011-12-30 12:00', '2011-12-31 01:00', 'Pacific/Apia'), '2011-12-30T10:30:00Z')).toBe(true);
  });

  it('that another follows is over with the last; without end it is never over', () => {
    const chain = [dated('2026-05-04 00:00', '2026-05-05 00:00', 'UTC'), dated('2026-05-04 12:00', '2026-05-06 00:00', 'UTC')];
    expect(thawAfter(chain, at('2026-05-04T01:00:00Z'))).toBe(at('2026-05-06T00:00:00Z'));
    expect(thawAfter(chain, at('2026-05-07T01:00:00Z'))).toBe(at('2026-05-07T01:00:00Z'));
    expect(thawAfter([weekly('mon 00:00', 'thu 00:00'), weekly('thu 00:00', 'mon 00:00')], at('2026-05-07T01:00:00Z'))).toBeNull();
  });

  it('agrees with the wall clock at every moment that is not near a jump', () => {
    const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
    const minute = fc.nat(7 * 24 * 60 - 1);
    const words = (each: number): string => {
      const pad = (n: number): string => String(n).padStart(2, '0');
      return `${days[Math.floor(each / 1440)]} ${pad(Math.floor((each % 1440) / 60))}:${pad(each % 60)}`;
    };
    const zone = fc.constantFrom('UTC', BERLIN, 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu');
    const moment = fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2027-12-31T00:00:00Z') });
    fc.assert(
      fc.property(minute, minute, zone, moment, (from, to, timeZone, now) => {
        fc.pre(from !== to && offset(timeZone, now - 2 * 86_400_000) === offset(timeZone, now + 2 * 86_400_000));
        const wall = minuteOfWeek(timeZone, now);
        const expected = from < to ? wall >= from && wall < to : wall >= from || wall < to;
        expect(freezeAt([weekly(words(from), words(to), timeZone)], now) !== undefined).toBe(expected);
      }),
      { numRuns: 200 },
    );
  });
});

/** By another way than the rules: Intl's own words. */
function minuteOfWeek(timeZone: string, now: number): number {
  const words = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).format(now);
  const [, day = '', hour = '', minute = ''] = /(\w{3})\D+(\d{2}):(\d{2})/.exec(words) ?? [];
  return (['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(day) * 24 + Number(hour)) * 60 + Number(minute);
}

function offset(timeZone: string, now: number): string {
  return new Intl.DateTimeFormat('en-GB', { timeZone, timeZoneName: 'longOffset' }).format(now).split(' ').at(-1) ?? '';
}
