import { DEFAULT_SETTINGS, type Settings } from '@countersign/contract/settings.ts';
import {
  DEFAULT_STAGES,
  demandActive,
  demandEdge,
  isActiveStage,
  levelOfStages,
  namesOf,
  nextStages,
  STAGES,
  type StageDefinition,
  type Stages,
  stageOf,
} from '@countersign/contract/stages.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goneStages, withStages } from './stage-rules.ts';

const defined = (stages: StageDefinition[], more: Partial<Settings> = {}): Settings => ({
  ...DEFAULT_SETTINGS,
  ...withStages(DEFAULT_SETTINGS, { stages, ...more }),
});
const named = (...names: string[]): Settings => defined(names.map((name) => ({ name })));

describe('the stages of a workspace', () => {
  it('are those of MLflow where nothing was said', () => {
    expect(namesOf(DEFAULT_SETTINGS)).toEqual(['None', 'Staging', 'Production', 'Archived']);
    expect(withStages(DEFAULT_SETTINGS, { stages: [...DEFAULT_STAGES] }).stages).toEqual(DEFAULT_SETTINGS.stages);
  });

  it('keep their order; None and Archived are there whether they were named or not', () => {
    expect(namesOf(named('UAT', 'Canary', 'Production'))).toEqual(['None', 'UAT', 'Canary', 'Production', 'Archived']);
    expect(namesOf(named('Archived', 'UAT', 'None'))).toEqual(['Archived', 'UAT', 'None']);
  });

  it("are active and ask MANAGE_STAGING, unless their definition says otherwise; MLflow's are written as MLflow writes them", () => {
    expect(
      defined([{ name: 'production' }, { name: 'UAT' }, { name: 'Canary', active: false, level: 'MANAGE_PRODUCTION' }]).stages,
    ).toEqual([
      DEFAULT_STAGES[0],
      DEFAULT_STAGES[2],
      { name: 'UAT', active: true, level: 'MANAGE_STAGING' },
      { name: 'Canary', active: false, level: 'MANAGE_PRODUCTION' },
      DEFAULT_STAGES[3],
    ]);
  });

  it.each(['latest', 'LATEST', '1', '007', 'v1', 'V22', 'a b', 'a/b', 'a@b', 'é', '', 'x.y', 'Deleted_Internal', "x'y"])(
    'are never called %j',
    (name) => {
      expect(() => named(name)).toThrow("can't be called");
    },
  );

  it.each(['UAT', 'pre-prod', '2nd_line', 'v1x', 'latest-1', '_', 'null'])('may be called %s', (name) => {
    expect(namesOf(named(name))).toContain(name);
  });

  it('are not two of a name, in whatever case, and not more than twenty', () => {
    expect(() => named('UAT', 'uat')).toThrow("Two stages are called 'UAT' and 'uat'");
    expect(() => named('none', 'None')).toThrow('Two stages');
    const many = Array.from({ length: 19 }, (_, i) => `S${i}`);
    expect(() => named(...many)).toThrow('at most 20 stages');
    expect(namesOf(named(...many.slice(1)))).toHaveLength(20);
  });

  it.each<StageDefinition>([
    { name: 'Production', level: 'MANAGE_STAGING' },
    { name: 'Production', active: false },
    { name: 'Archived', active: true },
    { name: 'None', level: 'MANAGE_PRODUCTION' },
  ])("don't redefine one of MLflow's: %j", (definition) => {
    expect(() => defined([definition])).toThrow("is one of MLflow's");
  });

  it('are what edges and protection name, in any case; both change with them or refuse', () => {
    const before = defined([{ name: 'UAT' }], { stage_edges: [{ from: 'none', to: 'uat' }], protected_stages: ['uat', 'UAT'] });
    expect(before).toMatchObject({ stage_edges: [{ from: 'None', to: 'UAT' }], protected_stages: ['UAT'] });
    expect(() => withStages(before, { stages: [...DEFAULT_STAGES] })).toThrow("stage_edges names the stage 'UAT', which would be gone");
    expect(() => withStages(before, { stages: [...DEFAULT_STAGES], stage_edges: null })).toThrow("protected_stages names the stage 'UAT'");
    const after = withStages(before, { stages: [...DEFAULT_STAGES], stage_edges: null, protected_stages: [] });
    expect(after).toMatchObject({ stage_edges: null, protected_stages: [] });
    expect(goneStages(before, { ...before, ...after })).toEqual(['UAT']);
    expect(() => withStages(before, { stage_edges: [{ from: 'UAT', to: 'QA' }] })).toThrow('Value must be one of None, UAT, Archived.');
    expect(() => withStages(before, { stage_edges: [{ from: 'UAT', to: 'uat' }] })).toThrow('to itself');
    const twice = { from: 'None', to: 'UAT' };
    expect(() => withStages(before, { stage_edges: [twice, twice] })).toThrow('twice');
    expect(() => withStages(before, { protected_stages: ['Staging'] })).toThrow('Invalid Model Version stage: Staging');
  });

  it('change nothing where other settings change', () => {
    expect(withStages(DEFAULT_SETTINGS, { protect_aliased: true })).toEqual({ protect_aliased: true });
  });
});

describe('a move between stages', () => {
  const stages = defined([{ name: 'Production' }, { name: 'UAT', active: false }, { name: 'Gold', level: 'MANAGE_PRODUCTION' }]);

  it('asks for what the stage at either end asks', () => {
    expect(levelOfStages(stages, 'None', 'UAT')).toBe('MANAGE_STAGING');
    expect(levelOfStages(stages, 'UAT', 'Gold')).toBe('MANAGE_PRODUCTION');
    expect(levelOfStages(stages, 'Production', 'None')).toBe('MANAGE_PRODUCTION');
    // Also where a workspace wrote it otherwise, or has taken it away.
    expect(levelOfStages({ stages: [{ name: 'Production', level: 'MANAGE_STAGING' }] }, 'Production')).toBe('MANAGE_PRODUCTION');
    expect(levelOfStages({ stages: [] }, 'Production')).toBe('MANAGE_PRODUCTION');
  });

  it('archives what stands in an active stage alone', () => {
    expect(STAGES.filter((stage) => isActiveStage(DEFAULT_SETTINGS, stage))).toEqual(['Staging', 'Production']);
    expect(() => demandActive(DEFAULT_SETTINGS, 'None')).toThrow(
      "Model version transition cannot archive existing model versions because 'None' is not an Active stage. Valid stages are Staging, Production.",
    );
    expect(() => demandActive(stages, 'UAT')).toThrow('Valid stages are Production, Gold.');
    demandActive(stages, 'gold');
  });

  it("is refused in MLflow's words where the stage isn't there", () => {
    expect(stageOf(stages, 'uAt')).toBe('UAT');
    expect(() => stageOf(stages, 'Staging')).toThrow(
      'Invalid Model Version stage: Staging. Value must be one of None, Production, UAT, Gold, Archived.',
    );
  });

  it('says where one can go from there', () => {
    const edges = {
      ...stages,
      stage_edges: [
        { from: 'None', to: 'Gold' },
        { from: 'None', to: 'UAT' },
      ],
    };
    const version = { name: 'm', version: 3, stage: 'None' };
    expect(() => demandEdge(edges, version, 'Production')).toThrow(
      "Version 3 of 'm' can't be moved from None to Production. From None a version goes to UAT, Gold.",
    );
    expect(() => demandEdge(edges, { ...version, stage: 'UAT' }, 'Archived')).toThrow('From UAT a version goes nowhere in this workspace');
  });

  const NAMES = ['None', 'A', 'B', 'C', 'Archived'];
  const stage = fc.constantFrom(...NAMES);
  const anyEdges = fc.option(
    fc.uniqueArray(
      fc.record({ from: stage, to: stage }).filter(({ from, to }) => from !== to),
      { selector: ({ from, to }) => `${from} ${to}` },
    ),
    { nil: null },
  );
  const worlds = anyEdges.map((stage_edges): Stages => ({ stages: NAMES.map((name) => ({ name })), stage_edges }));

  it('goes along an edge, and along no other; what a refusal lists is what is taken', () => {
    fc.assert(
      fc.property(worlds, stage, stage, (world, from, to) => {
        const isAllowed =
          from === to || world.stage_edges === null || world.stage_edges.some((edge) => edge.from === from && edge.to === to);
        const move = (): void => demandEdge(world, { name: 'm', version: 1, stage: from }, to);
        if (isAllowed) return move();
        expect(move).toThrow(expect.objectContaining({ code: 'INVALID_STATE' }));
        for (const next of nextStages(world, from)) demandEdge(world, { name: 'm', version: 1, stage: from }, next);
        for (const other of NAMES.filter((name) => name !== from && !nextStages(world, from).includes(name))) {
          expect(() => demandEdge(world, { name: 'm', version: 1, stage: from }, other)).toThrow();
        }
      }),
    );
  });

  it('never leaves the stages of the workspace, whatever they are changed to', () => {
    const definitions = fc.uniqueArray(fc.record({ name: fc.constantFrom('None', 'Staging', 'Production', 'Archived', 'UAT', 'Canary') }), {
      selector: ({ name }) => name,
      minLength: 1,
    });
    fc.assert(
      fc.property(definitions, definitions, (first, second) => {
        const before = defined(first);
        const after: Settings = { ...before, ...withStages(before, { stages: second }) };
        for (const name of ['None', 'Archived', ...second.map((each) => each.name)]) expect(stageOf(after, name.toUpperCase())).toBe(name);
        for (const name of goneStages(before, after)) expect(() => stageOf(after, name)).toThrow();
        // What is answered can be given back.
        expect(withStages(after, { stages: after.stages }).stages).toEqual(after.stages);
      }),
    );
  });
});
