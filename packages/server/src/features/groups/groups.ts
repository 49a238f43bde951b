/** Groups of accounts: of the whole server, or of one workspace, where MLflow calls them roles. A membership says where it comes from. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import {
  type Account,
  accountWords,
  announceChange,
  checkAccountName,
  governSetting,
  noteCredentialChange,
  recordAccess,
  takingAway,
} from '../accounts/accounts.ts';
import type { Group } from './group-store.ts';
import * as store from './group-store.ts';

export type { Group, Member } from './group-store.ts';

export const SERVER_WIDE = -1;
/** A membership that a person gave; others come from an identity provider's claims: `provider:<id>`. */
export const DIRECT = 'direct';

export interface NewGroup {
  readonly name: string;
  readonly description?: string | undefined;
  /** `SERVER_WIDE`, or the workspace whose role it is. */
  readonly workspaceId: number;
}

export function create(ctx: Ctx, input: NewGroup): Promise<Group> {
  checkAccountName(input.name, 'name of a group');
  return transaction(ctx, async (inner) => {
    await governed(inner, input, `make a group ${input.name}${input.workspaceId === SERVER_WIDE ? ' of the server' : ''}`);
    const id = await store.insert(inner.tx, {
      workspaceId: input.workspaceId,
      name: input.name,
      description: input.description ?? null,
      at: inner.clock.now(),
      by: inner.principal.id,
    });
    if (id === undefined) throw taken(input.name);
    recordAccess(inner, {
      type: 'group.created',
      data: { group_id: id, name: input.name, workspace: input.workspaceId },
      texts: input.description ? { description: input.description } : {},
    });
    // A group of the server hides a workspace's of its name.
    await announceChange(inner);
    return get(inner, id);
  });
}

/** Who is in a group that a policy names may approve, so it is governed itself; and who joins one gets what it has. */
function governed(
  ctx: TxCtx,
  { name, workspaceId, id }: Pick<Group, 'name' | 'workspaceId'> & { readonly id?: number },
  words: string,
  loses?: number | 'group',
): Promise<void> {
  const names = id === undefined ? { group: name } : { group: name, groupId: id };
  const change = { setting: 'memberships', words, workspaceId, names } as const;
  return governSetting(ctx, loses === undefined ? change : { ...change, loses });
}

function taken(name: string): Problem {
  return new Problem('RESOURCE_ALREADY_EXISTS', `A group named '${clip(name)}' exists already. Choose another name.`);
}

/** RESOURCE_DOES_NOT_EXIST. */
export async function get(ctx: Ctx, id: number): Promise<Group> {
  const group = await store.findById(reading(ctx), id);
  if (group === undefined) throw notFound(`There is no group with the id ${id}.`);
  return group;
}

export function find(ctx: Ctx, name: string, workspaceId = SERVER_WIDE): Promise<Group | undefined> {
  return store.findByName(reading(ctx), workspaceId, name);
}

export function findById(ctx: Ctx, id: number): Promise<Group | undefined> {
  return store.findById(reading(ctx), id);
}

/** RESOURCE_DOES_NOT_EXIST. */
export async function getByName(ctx: Ctx, name: string, workspaceId = SERVER_WIDE): Promise<Group> {
  const group = await store.findByName(reading(ctx), workspaceId, name);
  if (group === undefined) throw notFound(`There is no group named '${clip(name)}'.`);
  return group;
}

/** By id, those of workspaces included. */
export function list(ctx: Ctx, page: { afterId: number; limit: number }): Promise<Group[]> {
  return store.list(reading(ctx), page);
}

/** Those of no workspace, by id. */
export function listServerWide(ctx: Ctx, page: { afterId: number; limit: number }): Promise<Group[]> {
  return store.listPage(reading(ctx), SERVER_WIDE, page);
}

export async function listNames(ctx: Ctx, ids: readonly number[]): Promise<ReadonlyMap<number, string>> {
  return new Map((await store.listNames(reading(ctx), ids)).map(({ id, name }) => [id, name]));
}

export function listInWorkspace(ctx: Ctx, workspaceId: number): Promise<Group[]> {
  return store.listInWorkspace(reading(ctx), workspaceId);
}

export function listOf(ctx: Ctx, accountId: number): Promise<Group[]> {
  return store.listOf(reading(ctx), accountId);
}

export function listByIds(ctx: Ctx, ids: readonly number[]): Promise<Group[]> {
  return store.listByIds(reading(ctx), ids);
}

/** The groups of several accounts, by account. */
export async function listOfAccounts(ctx: Ctx, accountIds: readonly number[]): Promise<ReadonlyMap<number, readonly Group[]>> {
  const db = reading(ctx);
  const memberships = await store.listGroupIdsOf(db, accountIds);
  const found = await store.listByIds(db, [...new Set(memberships.map((each) => each.group_id))]);
  const byId = new Map(found.map((group) => [group.id, group]));
  const byAccount = Map.groupBy(memberships, (each) => each.principal_id);
  return new Map([...byAccount].map(([id, rows]) => [id, rows.flatMap((row) => byId.get(row.group_id) ?? [])]));
}

export function update(ctx: Ctx, group: Group, change: { name?: string; description?: string | null }): Promise<Group> {
  const name = change.name ?? group.name;
  checkAccountName(name, 'name of a group');
  return transaction(ctx, async (inner) => {
    if (name !== group.name) {
      await governed(inner, group, `call group ${group.name} (group ${group.id}) ${name}`, 'group');
      await governed(inner, { ...group, name }, `call group ${group.name} (group ${group.id}) ${name}`);
    }
    const other = await store.findByName(inner.tx, group.workspaceId, name);
    if (other && other.id !== group.id) throw taken(name);
    const description = change.description === undefined ? group.description : change.description;
    const rename = async (): Promise<void> => {
      await store.update(inner.tx, group.id, { name, description }, inner.principal.id);
      recordAccess(inner, { type: 'group.changed', data: { group_id: group.id, name }, texts: description ? { description } : {} });
      if (name !== group.name) await announceChange(inner);
    };
    // Policies name groups by their names.
    await (name === group.name ? rename() : takingAway(inner, rename));
    return { ...group, name, description };
  });
}

/** With its memberships and grants. */
export function remove(ctx: Ctx, group: Group): Promise<void> {
  return transaction(ctx, async (inner) => {
    await governed(inner, group, `delete group ${group.name} (group ${group.id})`, 'group');
    await takingAway(inner, async () => {
      await store.remove(inner.tx, group.id);
      recordAccess(inner, { type: 'group.deleted', data: { group_id: group.id, name: group.name } });
      await announceChange(inner);
    });
  });
}

/** Once more changes nothing. */
export function addMember(ctx: Ctx, group: Group, account: Account, source = DIRECT): Promise<void> {
  if (account.kind === 'ci') throw invalid(`'${account.name}' is a CI identity: it gets grants of its own, and is in no group.`);
  return transaction(ctx, async (inner) => {
    // What a provider says of people is its own: the provider is what is governed.
    const isMember = (await store.listMembershipsOf(inner.tx, group.id, [account.id])).some((each) => each.source === source);
    if (source === DIRECT && !isMember)
      await governed(inner, group, `add ${accountWords(account)} to group ${group.name} (group ${group.id})`);
    const isNew = await store.addMember(inner.tx, {
      groupId: group.id,
      principalId: account.id,
      source,
      at: inner.clock.now(),
      by: inner.principal.id,
    });
    if (!isNew) return;
    recordAccess(inner, { type: 'group.member-added', data: { group_id: group.id, account_id: account.id, source } });
    if (source === DIRECT) await noteCredentialChange(inner, account.id);
    await announceChange(inner, { principalId: account.id });
  });
}

/** False where it wasn't one by this source. */
export function removeMember(ctx: Ctx, group: Group, accountId: number, source = DIRECT): Promise<boolean> {
  return transaction(ctx, async (inner) => {
    if (source === DIRECT)
      await governed(inner, group, `take account ${accountId} out of group ${group.name} (group ${group.id})`, accountId);
    return takingAway(inner, async () => {
      if (!(await store.removeMember(inner.tx, group.id, accountId, source))) return false;
      recordAccess(inner, { type: 'group.member-removed', data: { group_id: group.id, account_id: accountId, source } });
      if (source === DIRECT) await noteCredentialChange(inner, accountId);
      await announceChange(inner, { principalId: accountId });
      return true;
    });
  });
}

/** What a sign-in says about a person: joins the groups that exist by these names, leaves those that came from the same source before. */
export function setMembershipsFrom(ctx: Ctx, account: Account, source: string, names: readonly string[]): Promise<void> {
  return transaction(ctx, async (inner) => {
    const wanted = new Set<number>();
    for (const name of new Set(names)) {
      const group = await store.findByName(inner.tx, SERVER_WIDE, name);
      if (group === undefined) continue;
      wanted.add(group.id);
      await addMember(inner, group, account, source);
    }
    for (const membership of await store.listMemberships(inner.tx, account.id)) {
      if (membership.source !== source || wanted.has(membership.group_id)) continue;
      await removeMember(inner, await get(inner, membership.group_id), account.id, source);
    }
  });
}

export function listMembers(ctx: Ctx, groupId: number, page: { afterId: number; limit: number }): Promise<store.Member[]> {
  return store.listMembers(reading(ctx), groupId, page);
}

/** Accounts in the group, each once, by id. */
export function listMemberIds(ctx: Ctx, groupId: number, page: { afterId: number; limit: number }): Promise<number[]> {
  return store.listMemberIds(reading(ctx), groupId, page);
}

/** What makes these accounts members; several sources may. */
export function listMembershipsOf(ctx: Ctx, groupId: number, accountIds: readonly number[]): Promise<store.Member[]> {
  return store.listMembershipsOf(reading(ctx), groupId, accountIds);
}

/** All memberships of an account that goes. In the caller's transaction. */
export async function forgetAccount(ctx: TxCtx, accountId: number): Promise<void> {
  for (const { group_id, source } of await store.listMemberships(ctx.tx, accountId)) {
    recordAccess(ctx, { type: 'group.member-removed', data: { group_id, account_id: accountId, source } });
  }
  await store.removeMemberEverywhere(ctx.tx, accountId);
}
