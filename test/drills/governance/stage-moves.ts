/** How versions move between the stages of their workspace: along its edges, by whoever has the level, and never to where there is none. */
import type { Act } from './acts.ts';
import { modelOf, type PlaceChange } from './place-changes.ts';
import type { Admitted } from './request-endings.ts';
import { type Seen, stagesOf } from './seen.ts';

interface Judged {
  readonly admitted: readonly Admitted[];
  /** What approvals let happen, of where it goes and of where it comes from, asks nobody's level. */
  readonly isAnswered: (move: readonly PlaceChange[]) => boolean;
  readonly count: (what: string) => unknown;
}

export function wrongMoves(act: Act, before: Seen, after: Seen, { admitted, isAnswered, count }: Judged): readonly string[] {
  const wrong: string[] = [];
  for (const version of after.versions.values()) {
    if (!version.isAlive) continue;
    const model = modelOf(after, version);
    const words = `version ${version.number} of ${model.name}`;
    if (!stagesOf(after, model.workspace).names.includes(version.stage))
      wrong.push(`${words} stands in ${version.stage}, which is no stage`);
    const then = before.versions.get(version.id);
    if (then === undefined) {
      const origin = version.origin === null ? undefined : before.versions.get(version.origin);
      if (origin !== undefined && modelOf(before, origin).workspace !== model.workspace) wrong.push(`${words} is a copy from elsewhere`);
      continue;
    }
    if (!then.isAlive || then.stage === version.stage || act.kind === 'rollback') continue;
    const { edges } = stagesOf(before, modelOf(before, then).workspace);
    if (edges === undefined) continue;
    count('moves along edges');
    if (!edges.has(`${then.stage} ${version.stage}`)) wrong.push(`${act.kind}: ${words} went from ${then.stage} to ${version.stage}`);
  }
  for (const { change } of admitted) {
    const { version, place, direction, model } = change;
    const then = version && before.versions.get(version.id);
    if (place.kind !== 'stage' || direction !== 'enter' || then?.isAlive !== true || then.stage === place.word) continue;
    // What makes room goes with what comes; who brings something back is named by the policy.
    if (place.word === 'Archived' || act.kind === 'rollback' || act.has === undefined) continue;
    const move = admitted.map((each) => each.change).filter((each) => each.place.kind === 'stage' && each.version?.id === version?.id);
    if (isAnswered(move)) continue;
    const { high } = stagesOf(before, model.workspace);
    const level = [then.stage, place.word].some((each) => high.includes(each)) ? 'MANAGE_PRODUCTION' : 'MANAGE_STAGING';
    if (!act.has(model, level)) wrong.push(`${act.kind} by ${act.by.name}: ${version?.id} to ${place.word} without ${level}`);
  }
  return wrong;
}
