/** What policies of a drill ask of versions and of time: of each kind something that a step can meet or miss. */
import type { Chance } from './chance.ts';
import { EXPRESSIONS } from './expression-family.ts';
import { CHECK } from './staff.ts';

/** The clock of a drill begins on a Wednesday in May, at ten in UTC. */
const FREEZES: readonly object[] = [
  { weekly: { from: 'wed 00:00', to: 'thu 02:15' }, time_zone: 'Europe/Berlin' },
  { weekly: { from: 'fri 16:00', to: 'mon 08:00' }, time_zone: 'America/New_York', reason: 'nobody is there' },
  { weekly: { from: 'thu 20:30', to: 'fri 09:15' }, time_zone: 'Asia/Kolkata' },
  { dated: { from: '2026-05-06 10:30', to: '2026-05-07 06:00' }, time_zone: 'UTC' },
  { dated: { from: '2026-05-05T00:00', to: '2026-05-06T18:00' }, time_zone: 'America/New_York' },
];
const SOAKS = [
  { stage: 'Staging', at_least: '1m' },
  { stage: 'staging', at_least: '1h' },
  { alias: 'challenger', at_least: '1m' },
];
const METRICS = [
  { name: 'accuracy', op: '>=', value: 0.9 },
  { name: 'accuracy', op: '>=', current: { tolerance: 0.01 } },
];

/** Each with its likelihood: a policy that asks for much is never met. */
const ASKED: Readonly<Record<string, readonly [number, (chance: Chance) => unknown]>> = {
  checks: [0.2, (chance) => [{ name: CHECK, ...(chance.is(0.3) ? { max_age: '2h' } : {}) }]],
  metrics: [0.15, (chance) => [chance.pick(METRICS)]],
  tags: [0.1, (chance) => [chance.pick([{ key: 'note' }, { key: 'note', value: 'gold' }])]],
  description: [0.08, () => true],
  model_card_sections: [0.08, (chance) => [chance.pick(['Limitations', 'Use'])]],
  signature: [0.1, () => true],
  input_example: [0.08, () => true],
  breaking_signature_needs: [0.18, () => ({ group: 'legal' })],
  soak: [0.15, (chance) => chance.pick(SOAKS)],
  registered_by: [0.05, (chance) => ({ trust: chance.pick(['main', 'main', 'main', 'other']) })],
  expressions: [0.15, (chance) => expressions(chance)],
};

function expressions(chance: Chance): readonly object[] {
  const names = Object.keys(EXPRESSIONS).filter(() => chance.is(0.2));
  return (names.length === 0 ? [chance.pick(Object.keys(EXPRESSIONS))] : names).map((name) => ({
    name,
    that: EXPRESSIONS[name]?.that,
    says: `it should be ${name}`,
  }));
}

export function randomRequirements(chance: Chance): object {
  const asked = Object.entries(ASKED).filter(([, [likelihood]]) => chance.is(likelihood));
  return Object.fromEntries(asked.map(([name, [, make]]) => [name, make(chance)]));
}

export function randomFreeze(chance: Chance): readonly object[] {
  return chance.is(0.2) ? [chance.pick(FREEZES), ...(chance.is(0.2) ? [chance.pick(FREEZES)] : [])] : [];
}
