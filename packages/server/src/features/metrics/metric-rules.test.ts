import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkPoint, latestOf, type StoredPoint, sampleSteps, toStored } from './metric-rules.ts';

const point = fc.record<StoredPoint>({
  key: fc.constantFrom('a', 'b'),
  value: fc.double({ noNaN: true }),
  isNan: fc.constant(0 as const),
  timestamp: fc.integer({ min: 0, max: 3 }),
  step: fc.integer({ min: -2, max: 2 }),
});

describe('metric points', () => {
  test('NaN becomes a flag and infinities the greatest doubles', () => {
    expect(toStored(Number.NaN)).toEqual({ value: 0, isNan: 1 });
    expect(toStored(Infinity)).toEqual({ value: 1.7976931348623157e308, isNan: 0 });
    expect(toStored(-Infinity)).toEqual({ value: -1.7976931348623157e308, isNan: 0 });
  });

  test('the latest of a key is no smaller than any other of it by (step, timestamp, value)', () => {
    fc.assert(
      fc.property(fc.array(point, { maxLength: 20 }), (points) => {
        const latest = latestOf(points);
        expect(new Set(latest.map((each) => each.key))).toEqual(new Set(points.map((each) => each.key)));
        for (const each of points) {
          const held = latest.find((candidate) => candidate.key === each.key);
          const order = (p: StoredPoint): number[] => [Number(p.step), Number(p.timestamp), p.value];
          expect(held && compare(order(held), order(each))).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  test.each(['a$', 'a//b', '/a', '../a', 'a/', '.', 'a\nb'])('the key %j is refused', (key) => {
    expect(() => checkPoint({ key, value: 1, timestamp: 0, step: 0 }, 'metrics[0]')).toThrow("for parameter 'metrics[0].name' supplied");
  });

  test('a negative time and a key of 251 characters are refused, a negative step is not', () => {
    expect(() => checkPoint({ key: 'a', value: 1, timestamp: -1, step: 0 }, '')).toThrow(
      'Timestamp must be a nonnegative long (64-bit integer)',
    );
    expect(() => checkPoint({ key: 'a'.repeat(251), value: 1, timestamp: 0, step: 0 }, '')).toThrow(
      "'Metric name' exceeds the maximum length of 250 characters",
    );
    expect(() => checkPoint({ key: 'ü/x y:z', value: 1, timestamp: 0, step: -(2n ** 63n) }, '')).not.toThrow();
  });

  test('a sample keeps its first, its last and the bounds, evenly spaced between', () => {
    const steps = Array.from({ length: 20 }, (_, i) => i);
    expect(sampleSteps(steps, [0, 9, 19], 5)).toEqual([0, 4, 8, 9, 12, 16, 19]);
    expect(sampleSteps(steps, [0, 19], 20)).toEqual(steps);
  });
});

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    const [x = 0, y = 0] = [a[i], b[i]];
    if (x !== y) return x > y ? 1 : -1;
  }
  return 0;
}
