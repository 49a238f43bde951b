/**
 * Who stands behind which account: what a decision about a governed change must know of people. Read in the transaction of the change, in a number
 * of statements that doesn't grow with the people.
 */
import type { Level } from '@countersign/contract/levels.ts';
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
  const db = reading(ctx);
  const members = question.groups.length === 0 ? [] : await store.listMembers(db, ctx.workspace.id, [...new Set(question.groups)]);
  const asked = await store.listWithThoseBehind(db, [...new Set([...question.ids, ...members])]);
  const accessChanges = await accounts.listCredentialChanges(
    ctx,
    asked.map((row) => row.id),
    question.changedSince,
  );
  const rows = new Map(asked.map((row) => [row.id, row]));
  const changers = [...new Set(accessChanges.map((change) => change.by))].filter((id) => !rows.has(id));
  if (changers.length > 0) for (const row of await store.listWithThoseBehind(db, changers)) rows.set(row.id, row);
  return { principals: await describe(ctx, [...rows.values()], question.model), accessChanges };
}

async function describe(
  ctx: Ctx,
  rows: readonly PersonRow[],
  model: { readonly id: number; readonly name: string } | undefined,
): Promise<PolicyPrincipal[]> {
  const db = reading(ctx);
  const byId = new Map(rows.map((row) => [row.id, row]));
  // A job has what its account has, and is in no group.
  const own = rows.filter((row) => row.job_of === null);
  const users = own.filter((row) => row.kind === 'user').map((row) => row.id);
  const inGroups = own.filter((row) => row.kind === 'user' || row.kind === 'service').map((row) => row.id);
  const groups = Map.groupBy(
    inGroups.length === 0 ? [] : await store.listGroupNames(db, ctx.workspace.id, inGroups),
    (row) => row.principal_id,
  );
  const permissions = Map.groupBy(
    users.length === 0 ? [] : await store.listPermissions(db, ctx.workspace.id, users),
    (row) => row.principal_id,
  );
  const levels: ReadonlyMap<number, Level> = await access.listLevelsOn(
    ctx,
    own.map(({ id, kind, is_admin }) => ({ id, kind, isAdmin: is_admin === 1 })),
    model,
  );
  return rows.map((row) =>
    toPrincipal(row, {
      account: byId.get(row.job_of ?? row.id) ?? row,
      persons: personsBehind(row, byId),
      groups: (groups.get(row.id) ?? []).map((each) => each.name),
      permissions: (permissions.get(row.id) ?? []).map((each) => each.permission),
      level: levels.get(row.job_of ?? row.id),
    }),
  );
}
