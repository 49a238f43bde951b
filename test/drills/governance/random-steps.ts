/** One random step of a drill: somebody does something at the doors, allowed or not. */
import * as requests from '@countersign/server/features/requests/requests.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import { promptSteps } from './prompt-steps.ts';
import { requestSteps } from './request-steps.ts';
import { settingSteps } from './setting-steps.ts';
import type { Member } from './staff.ts';
import { openRequest, type Scene, type Steps } from './step-subjects.ts';
import { tellStory } from './story-steps.ts';
import { versionSteps } from './version-steps.ts';

const STEPS: Steps = { ...versionSteps, ...promptSteps, ...requestSteps, ...settingSteps };

export interface Planned {
  readonly kind: string;
  readonly by: Member;
  /** As which he does it. */
  readonly ctx: Ctx;
  readonly approves?: number;
  /** What he is told that would be refused. */
  readonly warnings: readonly string[];
  run(): Promise<unknown>;
}

/** Who does the next step, and what: many are approvals by those who may give them, since without those nothing governed moves. */
export async function planStep(scene: Scene): Promise<Planned | undefined> {
  const { chance, staff } = scene;
  const warnings: string[] = [];
  const listening = (ctx: Ctx): Ctx => ({ ...ctx, warn: (text) => warnings.push(text) });
  const mind = chance.below(100);
  if (mind < 5) {
    const redo = chance.maybe(scene.again);
    const found = redo && (await staff.contextOf(redo.by, redo.workspace));
    if (redo === undefined || found === undefined) return undefined;
    const ctx = listening(found);
    return { kind: 'again', by: redo.by, ctx, warnings, run: () => requests.asking(ctx, () => redo.change(ctx)) };
  }
  if (mind < 46 && scene.kinds === undefined) return planStory(scene, listening, warnings);
  const isApproval = mind < (scene.kinds === undefined ? 60 : 38);
  const isReturn = mind >= 96 && (scene.kinds?.has('rollback') ?? true);
  const isLikely = isApproval || isReturn;
  const by = isLikely ? pickApprover(scene) : ((chance.is(0.15) ? chance.maybe([...scene.hot]) : undefined) ?? chance.pick(staff.members));
  const found = await staff.contextOf(by, chance.is(0.1) ? staff.other() : undefined);
  if (found === undefined) return undefined;
  const ctx = listening(found);
  const doing = { scene, by, ctx };
  if (isApproval) {
    const id = openRequest(doing);
    const archiveExisting = chance.is(0.2) ? true : undefined;
    return { kind: 'approve', by, ctx, warnings, approves: id, run: () => requests.approve(ctx, id, { archiveExisting }) };
  }
  const steps = Object.entries(STEPS).filter(([kind]) => scene.kinds?.has(kind) ?? true);
  const total = steps.reduce((sum, [, [weight]]) => sum + weight, 0);
  if (isReturn) return { kind: 'rollback', by, ctx, warnings, run: async () => STEPS.rollback?.[1](doing) };
  let at = (chance.below(1_000_000) / 1_000_000) * total;
  for (const [kind, [weight, step]] of steps) {
    at -= weight;
    if (at < 0) return { kind, by, ctx, warnings, run: async () => step(doing) };
  }
  return undefined;
}

/** The next one of what somebody is about. */
async function planStory(scene: Scene, listening: (ctx: Ctx) => Ctx, warnings: readonly string[]): Promise<Planned | undefined> {
  if (scene.story.length === 0) scene.story.push(...tellStory(scene));
  let next = scene.story.shift();
  while (next?.answers?.(scene) === 0) next = scene.story.shift();
  if (next === undefined) return undefined;
  const by = scene.staff.byName(next.by);
  const found = await scene.staff.contextOf(by);
  if (found === undefined) return undefined;
  const ctx = listening(found);
  const { kind, step, answers } = next;
  const common = { kind, by, ctx, warnings, run: async () => step({ scene, by, ctx }) };
  const approves = kind === 'approve' ? answers?.(scene) : undefined;
  return approves === undefined ? common : { ...common, approves };
}

function pickApprover({ chance, staff }: Scene): Member {
  const likely = ['bob', 'carol', 'erin', 'second', 'root', 'bobs-robot'].map((name) => staff.byName(name));
  return chance.pick(chance.is(0.8) ? likely : staff.members);
}
