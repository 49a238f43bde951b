/** What is asked of the door in full: the change, what it is of, and every governed target that it touches. Pure. */
import { hash } from 'node:crypto';
import type { GovernedTarget } from '@countersign/contract/permit.ts';

/** How a request is carried out once it is allowed. */
export type Proposal =
  | { readonly op: 'stage'; readonly name: string; readonly version: number; readonly stage: string; readonly archiveExisting: boolean }
  | { readonly op: 'alias'; readonly name: string; readonly version: number; readonly alias: string }
  | { readonly op: 'alias-removal'; readonly name: string; readonly version: number; readonly alias: string }
  | { readonly op: 'registration'; readonly name: string }
  | { readonly op: 'tag'; readonly name: string; readonly version: number | null; readonly key: string; readonly value: string | null }
  | { readonly op: 'deletion'; readonly name: string; readonly version: number | null }
  | { readonly op: 'restoration'; readonly name: string; readonly version: number }
  | { readonly op: 'rename'; readonly name: string; readonly newName: string }
  /** Nobody asks for these two: who may make them makes them, where every policy lets him. */
  | { readonly op: 'move'; readonly name: string; readonly workspace: string }
  | { readonly op: 'model-restoration'; readonly name: string }
  /** Of administration: whoever asked makes it again. */
  | { readonly op: 'setting'; readonly setting: string; readonly words: string };

export interface TargetChange {
  readonly target: GovernedTarget;
  readonly change: 'enter' | 'leave';
}

/** As in events and requests: `stage:Production`, `tag:risk`. */
export function targetWords(target: GovernedTarget): string {
  switch (target.kind) {
    case 'stage':
      return `stage:${target.stage}`;
    case 'alias':
      return `alias:${target.alias}`;
    case 'entry':
      return 'entry';
    case 'tag':
      return `tag:${target.key}`;
    case 'setting':
      return `setting:${target.setting}`;
  }
}

/** The other way; undefined for another text. */
export function readTarget(words: string): GovernedTarget | undefined {
  if (words === 'entry') return { kind: 'entry' };
  const at = words.indexOf(':');
  const rest = words.slice(at + 1);
  if (at < 0 || rest === '') return undefined;
  switch (words.slice(0, at)) {
    case 'stage':
      return { kind: 'stage', stage: rest };
    case 'alias':
      return { kind: 'alias', alias: rest };
    case 'tag':
      return { kind: 'tag', key: rest };
    case 'setting':
      return { kind: 'setting', setting: rest };
    default:
      return undefined;
  }
}

const SUBJECT_MAX = 500;

/** What an approval is of, in full: the same words for the same change. Longer ones end with the digest of all of them. */
export function subjectOf(proposal: Proposal): string {
  const words = wordsOf(proposal);
  return words.length <= SUBJECT_MAX ? words : `${words.slice(0, SUBJECT_MAX).toWellFormed()}… sha256:${hash('sha256', words)}`;
}

function wordsOf(proposal: Proposal): string {
  switch (proposal.op) {
    case 'stage':
      return `stage:${proposal.stage}`;
    case 'alias':
      return `alias:${proposal.alias}`;
    case 'alias-removal':
      return `alias:${proposal.alias}#removed`;
    case 'registration':
      return 'entry';
    case 'tag':
      return proposal.value === null ? `tag:${proposal.key}#removed` : `tag:${proposal.key}=${proposal.value}`;
    case 'deletion':
      return 'deleted';
    case 'restoration':
      return 'restored';
    case 'rename':
      return `renamed:${proposal.newName}`;
    case 'move':
      return `moved:${proposal.workspace}`;
    case 'model-restoration':
      return `restored:${proposal.name}`;
    case 'setting':
      return `setting:${proposal.setting}#${proposal.words}`;
  }
}

/** From where a version goes, and to where: a stage that isn't one is left by nobody. */
export function stageChanges(from: string, to: string): readonly TargetChange[] {
  const entering: TargetChange = { target: { kind: 'stage', stage: to }, change: 'enter' };
  return from === to || from === 'None' ? [entering] : [entering, { target: { kind: 'stage', stage: from }, change: 'leave' }];
}

/** All places that a version is in, and leaves when it goes. */
export function leavingChanges(version: { readonly stage: string; readonly aliases: readonly string[] }): readonly TargetChange[] {
  const places: GovernedTarget[] = [
    { kind: 'entry' },
    ...(version.stage === 'None' ? [] : [{ kind: 'stage', stage: version.stage } as const]),
    ...version.aliases.map((alias) => ({ kind: 'alias', alias }) as const),
  ];
  return places.map((target) => ({ target, change: 'leave' }));
}

/** All places that a version is in: what another policy must allow where another one comes to apply. */
export function placesOf(version: { readonly stage: string; readonly aliases: readonly string[] }): readonly GovernedTarget[] {
  return leavingChanges(version).map(({ target }) => target);
}
