/** Policies of a drill: as many kinds as the promise has targets, each with requirements that a step can meet or miss. */
import type { Chance } from './chance.ts';
import { randomFreeze, randomRequirements } from './requirement-family.ts';

const SLOTS: Readonly<Record<string, object>> = {
  production: { target: { stage: 'Production' } },
  'fraud-production': { model: 'fraud-*', target: { stage: 'production' } },
  gold: { tags: { tier: 'gold' }, target: { stage: 'Production' } },
  archive: { model: 'fraud-*', target: { stage: 'Archived' } },
  champion: { target: { alias: 'champion' } },
  'prod-aliases': { model: 'prod.*', target: { alias: '*' } },
  'production-alias': { model: 'fraud-eu', target: { alias: 'production' } },
  entry: { model: 'prod.*', target: { entry: true } },
  risk: { target: { tag: 'risk' } },
  'prod-note': { model: 'prod.*', target: { tag: 'note' } },
  uat: { target: { stage: 'UAT' } },
  'prompt-champion': { target: { prompt: { alias: 'champion' } } },
  'prompt-production': { target: { prompt: { stage: 'Production' } } },
  'prompt-entry': { model: 'pro*', target: { prompt: { entry: true } } },
  settings: { target: { setting: '*' } },
};

/** YAML takes JSON. */
export function randomPolicy(chance: Chance, slot: string = chance.pick(Object.keys(SLOTS)), mode?: string): string {
  const isSetting = slot === 'settings';
  const roles = isSetting
    ? [{ group: 'legal' }]
    : chance.pick([[{ group: 'risk' }], [{ group: 'risk' }], [{ group: 'risk', count: 2 }], [{ group: 'risk' }, { group: 'legal' }], []]);
  const requirements = {
    approvals: roles,
    ...(chance.is(0.1) ? { sealed: false } : {}),
    ...(chance.is(0.1) ? { self_approval: true } : {}),
    ...(chance.is(0.2) ? { count_person_in: 'each' } : {}),
    ...(chance.is(0.2) ? { exclude: ['last_editor'] } : {}),
    ...(chance.is(0.2) ? { unlinked: 'pass' } : {}),
    ...(chance.is(0.5) ? { quiet_after_change: '10m' } : {}),
    ...(isSetting ? {} : randomRequirements(chance)),
  };
  return JSON.stringify({
    name: slot,
    description: `take ${chance.below(3)}`,
    mode: mode ?? chance.pick(['enforce', 'enforce', 'enforce', 'enforce', 'warn', 'observe']),
    match: SLOTS[slot],
    requirements,
    ...(isSetting ? {} : { freeze: randomFreeze(chance) }),
    expiry: { approval: chance.pick(['1h', '14d']), request: chance.pick(['90m', '20h', '30d', '30d']) },
    ...(chance.is(0.2) ? { apply: 'manual' } : {}),
    ...(chance.is(0.5) && !isSetting ? { supersedes: 'older' } : {}),
    ...(chance.is(0.6) && !isSetting ? { rollback: { within_days: 3, roles: [{ group: 'risk' }] } } : {}),
    ...(chance.is(0.4) && !isSetting ? { break_glass: { permission: 'break-glass', minutes: 30 } } : {}),
    ...(chance.is(0.7) ? { on_refused: 'open_request' } : {}),
  });
}

/** Those of a workspace at the start, with these stages. */
export function randomPolicies(chance: Chance, stages: readonly string[] = []): readonly string[] {
  const slots = Object.keys(SLOTS).filter((slot) => {
    if (slot === 'gold' || (slot === 'uat' && !stages.includes('UAT'))) return false;
    return chance.is(slot === 'settings' || slot === 'prod-note' ? 0.2 : 0.6);
  });
  // One that matches by tags needs another without them, at least as strict.
  const hasGold = slots.includes('production') && chance.is(0.4);
  return [
    ...slots.map((slot) => randomPolicy(chance, slot, hasGold && slot === 'production' ? 'enforce' : undefined)),
    ...(hasGold ? [randomPolicy(chance, 'gold')] : []),
  ];
}
