/**
 * Who stands behind which account: what a decision about a governed change must know of people. Read in the transaction of the change, in a number
 * of statements that doesn't grow with the people; what the transaction would read again is remembered, as of the count of changes of access.
 */
import type { AccessChangeFact, PolicyPrincipal } from '@countersign/contract/policy-facts.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import * as access from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import type { PersonRow } from './people-store.ts';
import * as store from './people-store.ts';
import { personsBehind, toPrincipal } from './person-fact-rules.ts';

export interface PeopleQuestion {
  /** As rows name them. */
  readonly ids: readonly number[];
  /** Names of groups whose members must be known. A name is that of the server's group, and of the workspace's only where the server has none of it. */
  readonly groups: readonly string[];
  /** Whose levels are asked; undefined where the change is of no model, and who manages the workspace has MANAGE. */
  readonly model: { readonly id: number; readonly name: string } | undefined;
  /** Epoch ms: changes of their credentials or groups since then. */
  readonly changedSince: number;
}

export interface PeopleFacts {
  /** Whoever was asked for, who stands behind them, the groups' members, and who changed anything about those. */
  readonly principals: readonly PolicyPrincipal[];
  /** The last that each made about each. */
  readonly accessChanges: readonly AccessChangeFact[];
}

export async function readPeople(ctx: Ctx, question: PeopleQuestion): Promise<PeopleFacts> {
  const asked = await listRows(ctx, [...question.ids, ...(await listMembers(ctx, question.groups))]);
  // Not remembered: an account's new token is no change of its access.
  const accessChanges = await accounts.listCredentialChanges(
    ctx,
    asked.map((row) => row.id),
    question.changedSince,
  );
  const rows = new Map(asked.map((row) => [row.id, row]));
  const changers = [...new Set(accessChanges.map((change) => change.by))].filter((id) => !rows.has(id));
  if (changers.length > 0) for (const row of await listRows(ctx, changers)) rows.set(row.id, row);
  return { principals: await describe(ctx, [...rows.values()], question.model), accessChanges };
}

async function listMembers(ctx: Ctx, groups: readonly string[]): Promise<readonly number[]> {
  const { id } = ctx.workspace;
  const names = [...new Set(groups)].sort();
  return names.length === 0 ? [] : members.recall(ctx, JSON.stringify([id, ...names]), () => store.listMembers(reading(ctx), id, names));
}

/** Who comes for the first time as a job changes nobody's access, so jobs aren't remembered. */
function listRows(ctx: Ctx, ids: readonly number[]): Promise<readonly PersonRow[]> {
  const asked = [...new Set(ids)].sort((one, other) => one - other);
  return persons.recall(ctx, JSON.stringify(asked), () => store.listWithThoseBehind(reading(ctx), asked), isWithoutJobs);
}

function isWithoutJobs(rows: readonly PersonRow[]): boolean {
  return rows.every((row) => row.job_of === null);
}

/** Whatever the model is. */
interface Belongings {
  readonly groups: ReadonlyMap<number, readonly string[]>;
  readonly permissions: ReadonlyMap<number, readonly string[]>;
  readonly general: access.GeneralAccess;
}

const QUESTIONS_MAX = 1000;

/** The same few people decide about change after change: what is known of them holds as long as nobody's access changes. */
const members = new accounts.AccessMemory<readonly number[]>(QUESTIONS_MAX);
const persons = new accounts.AccessMemory<readonly PersonRow[]>(QUESTIONS_MAX);
const belongings = new accounts.AccessMemory<Belongings>(QUESTIONS_MAX);

async function readBelongings(ctx: Ctx, own: readonly PersonRow[]): Promise<Belongings> {
  const db = reading(ctx);
  const users = own.filter((row) => row.kind === 'user').map((row) => row.id);
  const inGroups = own.filter((row) => row.kind === 'user' || row.kind === 'service').map((row) => row.id);
  const names = inGroups.length === 0 ? [] : await store.listGroupNames(db, ctx.workspace.id, inGroups);
  const permissions = users.length === 0 ? [] : await store.listPermissions(db, ctx.workspace.id, users);
  return {
    groups: gather(names.map((each) => [each.principal_id, each.name])),
    permissions: gather(permissions.map((each) => [each.principal_id, each.permission])),
    general: await access.readGeneralAccess(ctx, own.map(subjectOf)),
  };
}

function gather(pairs: readonly (readonly [number, string])[]): ReadonlyMap<number, readonly string[]> {
  const found = new Map<number, string[]>();
  for (const [id, text] of pairs) found.set(id, [...(found.get(id) ?? []), text]);
  return found;
}

function subjectOf({ id, kind, is_admin }: PersonRow): access.AccessSubject {
  return { id, kind, isAdmin: is_admin === 1 };
}

async function describe(
  ctx: Ctx,
  rows: readonly PersonRow[],
  model: { readonly id: number; readonly name: string } | undefined,
): Promise<PolicyPrincipal[]> {
  const byId = new Map(rows.map((row) => [row.id, row]));
  // A job has what its account has, and is in no group.
  const own = rows.filter((row) => row.job_of === null);
  const question = [ctx.workspace.id, ...own.map((row) => row.id)];
  const { groups, permissions, general } = await belongings.recall(ctx, JSON.stringify(question), () => readBelongings(ctx, own));
  const levels = await access.listLevelsOn(ctx, own.map(subjectOf), general, model);
  return rows.map((row) =>
    toPrincipal(row, {
      account: byId.get(row.job_of ?? row.id) ?? row,
      persons: personsBehind(row, byId),
      groups: groups.get(row.id) ?? [],
      permissions: permissions.get(row.id) ?? [],
      level: levels.get(row.job_of ?? row.id),
    }),
  );
}
