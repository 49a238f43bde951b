/** Who might do what at a time, as a fold of the events of access. */
import type { GrantLevel, Rank } from '@countersign/contract/levels.ts';
import { RANK } from '@countersign/contract/levels.ts';
import { compileAccess, EVERY_WORKSPACE } from '../access/access.ts';

/** The part of an event that access follows from. */
export interface AccessEvent {
  readonly type: string;
  readonly workspaceId: number;
  readonly data: Readonly<Record<string, unknown>>;
}

interface AccountThen {
  readonly kind: string;
  readonly isAdmin: boolean;
  readonly isActive: boolean;
}

interface GrantThen {
  readonly workspaceId: number;
  readonly subject: string;
  readonly kind: string;
  readonly objectId: number;
  readonly prefix: string;
  readonly level: GrantLevel;
}

export interface AccessThen {
  readonly accounts: ReadonlyMap<number, AccountThen>;
  /** `group account source`, since a person may be in a group by several ways. */
  readonly memberships: ReadonlySet<string>;
  readonly grants: ReadonlyMap<number, GrantThen>;
  /** By workspace; what isn't there is the default. */
  readonly memberLevels: ReadonlyMap<number, string>;
}

interface Draft {
  readonly accounts: Map<number, AccountThen>;
  readonly memberships: Set<string>;
  readonly grants: Map<number, GrantThen>;
  readonly memberLevels: Map<number, string>;
}

export async function foldAccess(events: AsyncIterable<AccessEvent> | Iterable<AccessEvent>): Promise<AccessThen> {
  const draft: Draft = { accounts: new Map(), memberships: new Set(), grants: new Map(), memberLevels: new Map() };
  for await (const event of events) apply(draft, event);
  return draft;
}

function apply(draft: Draft, { type, workspaceId, data }: AccessEvent): void {
  const accountId = Number(data.account_id);
  const changed = (change: Partial<AccountThen>): void => {
    const account = draft.accounts.get(accountId);
    if (account !== undefined) draft.accounts.set(accountId, { ...account, ...change });
  };
  switch (type) {
    case 'account.created':
      draft.accounts.set(accountId, { kind: String(data.kind), isAdmin: data.is_admin === true, isActive: true });
      return;
    case 'account.admin-set':
      changed({ isAdmin: data.is_admin === true });
      return;
    case 'account.enabled':
      changed({ isActive: true });
      return;
    case 'account.disabled':
      changed({ isActive: false });
      return;
    case 'account.deleted':
      draft.accounts.delete(accountId);
      return;
    case 'group.member-added':
      draft.memberships.add(`${data.group_id} ${accountId} ${data.source}`);
      return;
    case 'group.member-removed':
      draft.memberships.delete(`${data.group_id} ${accountId} ${data.source}`);
      return;
    case 'group.deleted':
      forgetGroup(draft, String(data.group_id));
      return;
    case 'grant.set':
      draft.grants.set(Number(data.grant_id), {
        workspaceId: Number(data.workspace),
        subject: `${data.subject_kind} ${data.subject_id}`,
        kind: String(data.kind),
        objectId: Number(data.object_id),
        prefix: String(data.prefix),
        level: data.level as GrantLevel, // written by `setGrant` only
      });
      return;
    case 'grant.removed':
      draft.grants.delete(Number(data.grant_id));
      return;
    case 'setting.changed':
      if (data.name === 'member_level') draft.memberLevels.set(workspaceId, String(data.value));
  }
}

/** A group goes with its memberships and grants, which have no events of their own then. */
function forgetGroup(draft: Draft, groupId: string): void {
  for (const each of draft.memberships) if (each.startsWith(`${groupId} `)) draft.memberships.delete(each);
  for (const [id, grant] of draft.grants) if (grant.subject === `group ${groupId}`) draft.grants.delete(id);
}

export interface MemberThen {
  readonly accountId: number;
  readonly sources: readonly string[];
  readonly addedAt: number;
}

/** Of one group after these events, by account. */
export async function foldMembers(
  events: AsyncIterable<AccessEvent & { readonly recordedAt: number }>,
  groupId: number,
): Promise<readonly MemberThen[]> {
  const members = new Map<number, Map<string, number>>();
  for await (const { type, data, recordedAt } of events) {
    const accountId = Number(data.account_id);
    if (type === 'account.deleted') members.delete(accountId);
    if (Number(data.group_id) !== groupId) continue;
    const sources = members.get(accountId) ?? new Map<string, number>();
    if (type === 'group.member-added') members.set(accountId, sources.set(String(data.source), recordedAt));
    if (type === 'group.member-removed') sources.delete(String(data.source));
    if (type === 'group.deleted') members.clear();
  }
  return [...members]
    .filter(([, sources]) => sources.size > 0)
    .map(([accountId, sources]) => ({ accountId, sources: [...sources.keys()], addedAt: Math.min(...sources.values()) }))
    .sort((a, b) => a.accountId - b.accountId);
}

export interface ObjectThen {
  readonly workspaceId: number;
  readonly isDefaultWorkspace: boolean;
  readonly id: number;
  /** As it was called then. */
  readonly name: string;
}

/** Accounts that could act then, and had at least `least` on the model, by id. */
export function whoHad(then: AccessThen, model: ObjectThen, least: Rank): { accountId: number; rank: Rank }[] {
  const subjectsOf = new Map<number, Set<string>>();
  for (const membership of then.memberships) {
    const [groupId, accountId] = membership.split(' ');
    const subjects = subjectsOf.get(Number(accountId)) ?? new Set<string>();
    subjectsOf.set(Number(accountId), subjects.add(`group ${groupId}`));
  }
  const here = [...then.grants.values()].filter(
    (grant) => grant.workspaceId === model.workspaceId || grant.workspaceId === EVERY_WORKSPACE,
  );
  const level = then.memberLevels.get(model.workspaceId) ?? (model.isDefaultWorkspace ? 'READ' : 'NONE');
  const had: { accountId: number; rank: Rank }[] = [];
  for (const [accountId, account] of then.accounts) {
    if (!account.isActive) continue;
    const groups = subjectsOf.get(accountId);
    const access = compileAccess(
      {
        isAdmin: account.isAdmin,
        isBornMember: model.isDefaultWorkspace && account.kind !== 'ci',
        memberRank: level === 'NONE' ? 0 : RANK[level as keyof typeof RANK], // written by `changeSettings` only
      },
      here
        .filter((grant) => grant.subject === `principal ${accountId}` || groups?.has(grant.subject))
        .map((grant) => ({ ...grant, objectName: grant.objectId === model.id ? model.name : null })),
    );
    const rank = access.rankOf('registered-model', { id: model.id, name: model.name });
    if (rank >= least) had.push({ accountId, rank });
  }
  return had.sort((a, b) => a.accountId - b.accountId);
}
