/** The stages of a workspace: which there are, who moves versions into them, and along which edges. Pure. */
import type { Level } from './levels.ts';
import { clip } from './mlflow/message.ts';
import { invalid, Problem } from './problem.ts';

/** Where a version stands, by the name that its workspace gives the stage. */
export type Stage = string;

/** What moving into or out of a stage may ask. */
export const STAGE_LEVELS = ['MANAGE_STAGING', 'MANAGE_PRODUCTION'] as const satisfies readonly Level[];
export type StageLevel = (typeof STAGE_LEVELS)[number];

export interface StageDefinition {
  readonly name: Stage;
  /** Whether what stands there may be archived by what comes in. */
  readonly active?: boolean;
  readonly level?: StageLevel;
}

export interface StageEdge {
  readonly from: Stage;
  readonly to: Stage;
}

/** In the order that people read them in. */
export interface Stages {
  readonly stages: readonly StageDefinition[];
  /** Along which versions move; null: along every one. */
  readonly stage_edges: readonly StageEdge[] | null;
}

export const STAGES_MAX = 20;
export const STAGE_NAME_MAX = 40;

/** Those of MLflow (mlflow/entities/model_registry/model_version_stages.py), as which they always count. */
export const DEFAULT_STAGES: readonly Required<StageDefinition>[] = [
  { name: 'None', active: false, level: 'MANAGE_STAGING' },
  { name: 'Staging', active: true, level: 'MANAGE_STAGING' },
  { name: 'Production', active: true, level: 'MANAGE_PRODUCTION' },
  { name: 'Archived', active: false, level: 'MANAGE_STAGING' },
];

/** Where nothing else was defined. */
export const STAGES: readonly Stage[] = DEFAULT_STAGES.map(({ name }) => name);

type Defined = Pick<Stages, 'stages'>;

/** In any case; undefined for another word. */
export function findStage({ stages }: Defined, word: string): StageDefinition | undefined {
  const lower = word.toLowerCase();
  return stages.find(({ name }) => name.toLowerCase() === lower);
}

/** Any case in, canonical out. Throws MLflow's sentence for another word. */
export function stageOf(defined: Defined, word: string): Stage {
  const found = findStage(defined, word);
  if (found) return found.name;
  throw invalid(`Invalid Model Version stage: ${clip(word)}. Value must be one of ${namesOf(defined).join(', ')}.`);
}

export function namesOf({ stages }: Defined): readonly Stage[] {
  return stages.map(({ name }) => name);
}

/** Whether a move there may archive what stands there already. */
export function isActiveStage(defined: Defined, word: string): boolean {
  const { name, active = true } = findStage(defined, word) ?? { active: false };
  return DEFAULT_STAGES.find((each) => each.name === name)?.active ?? active;
}

/** MLflow's sentence (mlflow/store/model_registry/sqlalchemy_store.py), with the stages of the workspace. */
export function demandActive(defined: Defined, stage: Stage): void {
  if (isActiveStage(defined, stage)) return;
  const active = namesOf(defined).filter((name) => isActiveStage(defined, name));
  const which = active.length === 0 ? 'There is no such stage' : `Valid stages are ${active.join(', ')}`;
  throw invalid(
    `Model version transition cannot archive existing model versions because '${clip(stage)}' is not an Active stage. ${which}.`,
  );
}

/** What a move asks for: the more of both ends. */
export function levelOfStages(defined: Defined, ...ends: readonly Stage[]): StageLevel {
  return ends.some((end) => levelOfStage(defined, end) === 'MANAGE_PRODUCTION') ? 'MANAGE_PRODUCTION' : 'MANAGE_STAGING';
}

/** An alias that is called like a stage counts as it, and asks for as much. Undefined for another one. */
export function levelOfAlias(defined: Defined, alias: string): StageLevel | undefined {
  const stage = findStage(defined, alias) ?? findStage({ stages: DEFAULT_STAGES }, alias);
  return stage && levelOfStages(defined, stage.name);
}

function levelOfStage(defined: Defined, stage: Stage): StageLevel {
  const byName = (each: StageDefinition): boolean => each.name === stage;
  return DEFAULT_STAGES.find(byName)?.level ?? defined.stages.find(byName)?.level ?? 'MANAGE_STAGING';
}

/** Where a version may go from a stage, in the order of the stages. */
export function nextStages({ stages, stage_edges: edges }: Stages, from: Stage): readonly Stage[] {
  const others = namesOf({ stages }).filter((name) => name !== from);
  return edges === null ? others : others.filter((to) => edges.some((edge) => edge.from === from && edge.to === to));
}

/** INVALID_STATE that lists where the version may go. Staying where it is, is no move. */
export function demandEdge(
  defined: Stages,
  version: { readonly name: string; readonly version: number; readonly stage: Stage },
  to: Stage,
): void {
  if (version.stage === to) return;
  const next = nextStages(defined, version.stage);
  if (next.includes(to)) return;
  const from = version.stage;
  const where =
    next.length === 0 ? `From ${from} a version goes nowhere in this workspace` : `From ${from} a version goes to ${next.join(', ')}`;
  throw new Problem(
    'INVALID_STATE',
    `Version ${version.version} of '${clip(version.name)}' can't be moved from ${from} to ${to}. ${where}. Move it along these edges, or ask a manager of the workspace to change its stage_edges.`,
  );
}
