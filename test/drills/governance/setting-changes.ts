/** Which settings changed that approvals rest on, where a policy in force refuses anything; and who changed whose access. */
import type { Act } from './acts.ts';
import { type PolicyWords, type Seen, type SeenStages, stagesOf } from './seen.ts';

export interface SettingChange {
  readonly setting: string;
  readonly what: string;
  /** By whose policies: the default one, for what holds on the whole server. */
  readonly workspace: number;
}

const DEFAULT = 0;

/** Adds to `accessChanges` what an approval may not count after. */
export function settingChanges(
  act: Act,
  before: Seen,
  after: Seen,
  accessChanges: { readonly about: number; readonly by: number; readonly at: number }[],
): readonly SettingChange[] {
  const found: SettingChange[] = [];
  const isEnforced = (workspace: number): boolean =>
    (before.policies.get(workspace) ?? []).some(({ document }) => document.mode === 'enforce');
  const isEnforcedAnywhere = [...before.policies.keys()].some(isEnforced);
  /** Before anything is refused, settings are whoever's may change them. */
  const tell = (setting: string, what: string, workspace?: number): void => {
    if (workspace === undefined ? isEnforcedAnywhere : isEnforced(workspace))
      found.push({ setting, what, workspace: workspace ?? DEFAULT });
  };
  const changed = [...new Set([...before.policies.keys(), ...after.policies.keys()])].filter(
    (workspace) => hashesOf(before, workspace) !== hashesOf(after, workspace),
  );
  const note = (about: number): void => {
    if (about !== act.by.id) accessChanges.push({ about, by: act.by.id, at: act.at });
  };
  const named = new Set([...before.policies.values()].flat().flatMap(({ document }) => groupsOf(document)));
  for (const key of difference(before.members, after.members)) {
    const [group = '', id = ''] = key.split(' ');
    note(Number(id));
    if (named.has(group)) tell('memberships', `member ${key}`);
  }
  for (const [id, now] of after.accounts) {
    const then = before.accounts.get(id);
    if (then === undefined) {
      if (now.isAdmin) tell('memberships', `new administrator ${id}`);
      continue;
    }
    if (then.isAdmin !== now.isAdmin) tell('memberships', `administrator ${id}`);
    if (then.owner !== now.owner) tell('service-accounts', `owner of ${id}`);
    if (!then.isActive && now.isActive) {
      note(id);
      tell('credentials', `account ${id} enabled`);
    }
  }
  for (const [id, count] of after.tokens) {
    if (count <= (before.tokens.get(id) ?? 0) || id === act.by.id) continue;
    note(id);
    if (after.accounts.get(id)?.owner !== act.by.id) tell('credentials', `token of ${id}`);
  }
  for (const key of difference(before.permissions, after.permissions)) {
    const [workspace = '', permission, id] = key.split(' ');
    // Nobody holds anything in a workspace that is gone.
    if (!after.workspaces.has(Number(workspace))) continue;
    note(Number(id));
    if (breakGlassIn(before, Number(workspace)).has(permission)) tell('memberships', `permission ${key}`, Number(workspace));
  }
  for (const key of before.blocks) {
    const [workspace = '', digest] = key.split(' ');
    // Of a workspace whose models went to the default one, it holds there.
    const isHanded = !after.workspaces.has(Number(workspace)) && after.blocks.has(`${DEFAULT} ${digest}`);
    if (!after.blocks.has(key) && !isHanded) tell('blocks', `block ${key}`, Math.max(DEFAULT, Number(workspace)));
  }
  for (const workspace of after.workspaces) {
    const [then, now] = [stagesOf(before, workspace), stagesOf(after, workspace)];
    if (wordsOf(then) !== wordsOf(now) && before.workspaces.has(workspace)) tell('stages', `stages of ${workspace}`, workspace);
  }
  for (const workspace of changed) tell('policies', `other policies are in force in ${workspace}`, workspace);
  return found;
}

function wordsOf({ names, high, edges }: SeenStages): string {
  return JSON.stringify([names, high, edges === undefined ? null : [...edges].sort()]);
}

function breakGlassIn(seen: Seen, workspace: number): ReadonlySet<string | undefined> {
  return new Set((seen.policies.get(workspace) ?? []).map(({ document }) => document.break_glass?.permission));
}

function groupsOf({ requirements, rollback }: PolicyWords): readonly string[] {
  const { approvals, breaking_signature_needs: extra } = requirements;
  return [...approvals, ...(rollback?.roles ?? []), ...(extra === undefined ? [] : [extra])].flatMap(({ group }) => group ?? []);
}

function difference(a: ReadonlySet<string>, b: ReadonlySet<string>): readonly string[] {
  return [...[...a].filter((each) => !b.has(each)), ...[...b].filter((each) => !a.has(each))];
}

function hashesOf(seen: Seen, workspace: number): string {
  return `${(seen.policies.get(workspace) ?? []).map(({ hash }) => hash).sort()}`;
}
