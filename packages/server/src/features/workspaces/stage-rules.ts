/** What stages a workspace may define. Pure. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Settings } from '@countersign/contract/settings.ts';
import {
  DEFAULT_STAGES,
  findStage,
  namesOf,
  STAGES_MAX,
  type Stage,
  type StageDefinition,
  type StageEdge,
  type Stages,
  stageOf,
} from '@countersign/contract/stages.ts';

/** Changes of these are judged together, and by nobody else at the same time. */
export const STAGE_SETTINGS = ['stages', 'stage_edges', 'protected_stages'] as const;

/** The changes with every name as its stage is written, and every definition filled in. Throws INVALID_PARAMETER_VALUE. */
export function withStages(before: Settings, changes: Partial<Settings>): Partial<Settings> {
  if (!STAGE_SETTINGS.some((name) => changes[name] !== undefined)) return changes;
  const stages = changes.stages === undefined ? undefined : filledStages(changes.stages);
  const after = { stages: stages ?? before.stages };
  const edges = changes.stage_edges;
  const given = changes.protected_stages;
  if (edges === undefined) refuseGone(after, 'stage_edges', before.stage_edges?.flatMap(({ from, to }) => [from, to]) ?? []);
  if (given === undefined) refuseGone(after, 'protected_stages', before.protected_stages);
  return {
    ...changes,
    ...(stages === undefined ? {} : { stages }),
    ...(edges ? { stage_edges: readEdges(after, edges) } : {}),
    ...(given === undefined ? {} : { protected_stages: [...new Set(given.map((word) => stageOf(after, word)))] }),
  };
}

function refuseGone(after: Pick<Stages, 'stages'>, setting: string, names: readonly Stage[]): void {
  const gone = names.find((name) => !namesOf(after).includes(name));
  if (gone !== undefined) throw invalid(`The setting ${setting} names the stage '${gone}', which would be gone. Change both in one call.`);
}

/** None comes first and Archived last where they are left out: versions are born into the one and replaced into the other. */
function filledStages(given: readonly StageDefinition[]): StageDefinition[] {
  const [none, , , archived] = DEFAULT_STAGES;
  const filled = given.map(filledStage);
  if (none && findStage({ stages: filled }, none.name) === undefined) filled.unshift(none);
  if (archived && findStage({ stages: filled }, archived.name) === undefined) filled.push(archived);
  if (filled.length > STAGES_MAX)
    throw invalid(`A workspace has at most ${STAGES_MAX} stages, with None and Archived; these are ${filled.length}.`);
  for (const [at, { name }] of filled.entries()) {
    const first = findStage({ stages: filled.slice(0, at) }, name);
    if (first)
      throw invalid(`Two stages are called '${first.name}' and '${name}'; clients write stages in any case. Give one another name.`);
  }
  return filled;
}

function filledStage(given: StageDefinition): Required<StageDefinition> {
  const known = findStage({ stages: DEFAULT_STAGES }, given.name);
  if (known === undefined) {
    checkStageName(given.name);
    return { name: given.name, active: given.active ?? true, level: given.level ?? 'MANAGE_STAGING' };
  }
  const { name, active = false, level = 'MANAGE_STAGING' } = known;
  if ((given.active ?? active) !== active || (given.level ?? level) !== level) {
    throw invalid(`The stage ${name} is one of MLflow's: it is ${active ? '' : 'not '}active and asks ${level}. Leave both out.`);
  }
  return { name, active, level };
}

/** What clients and servers of MLflow read as something else. */
function checkStageName(name: string): void {
  const say = (why: string): Error => invalid(`The stage can't be called '${clip(name)}': ${why}. Choose another name.`);
  if (!/^[a-z\d_-]+$/i.test(name)) throw say('a name has letters from a to z, digits, dashes (-) and underscores (_)');
  if (/^\d+$/.test(name)) throw say('clients read digits alone as the number of a version');
  if (/^latest$/i.test(name)) throw say("clients read 'latest' as the newest version");
  if (/^v\d+$/i.test(name)) throw say('an alias named like a stage counts as it, and no alias may be called so');
  if (/^deleted_internal$/i.test(name)) throw say('MLflow marks deleted versions by it');
}

function readEdges(after: Pick<Stages, 'stages'>, edges: readonly StageEdge[]): StageEdge[] {
  const read = edges.map(({ from, to }) => ({ from: stageOf(after, from), to: stageOf(after, to) }));
  for (const [at, { from, to }] of read.entries()) {
    if (from === to) throw invalid(`stage_edges has an edge from ${from} to itself, which needs none. Leave it out.`);
    if (read.slice(0, at).some((each) => each.from === from && each.to === to)) {
      throw invalid(`stage_edges has the edge from ${from} to ${to} twice. Leave one out.`);
    }
  }
  return read;
}

/** Stages that were there and are there no more. */
export function goneStages(before: Pick<Stages, 'stages'>, after: Pick<Stages, 'stages'>): readonly Stage[] {
  return namesOf(before).filter((name) => !namesOf(after).includes(name));
}
