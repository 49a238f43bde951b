import type { groupEndpoints } from '@countersign/contract/groups.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import { parseTime } from '@countersign/contract/time.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as audit from '../features/audit/audit.ts';
import * as groups from '../features/groups/groups.ts';
import type { Ctx } from '../platform/context.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import { pageById } from './account-answers.ts';
import { done } from './answers.ts';
import type { Handlers } from './handlers.ts';

function answerGroup(group: groups.Group) {
  return { id: group.id, name: group.name, description: group.description, created_at: group.createdAt };
}

/** One entry for an account, however many sources say that it is a member. */
async function listMembers(ctx: Ctx, group: groups.Group, query: { limit?: number; page_token?: string }) {
  const limit = query.limit ?? PAGE_SIZE;
  const found = await groups.listMemberIds(ctx, group.id, { afterId: decodeOffset(query.page_token), limit: limit + 1 });
  const ids = found.slice(0, limit);
  const known = await accounts.listPrincipals(ctx, ids);
  const memberships = await groups.listMembershipsOf(ctx, group.id, ids);
  const members = ids.map((id) => {
    const own = memberships.filter((each) => each.principal_id === id);
    return {
      account: known.get(id) ?? { id, kind: 'unknown', name: '' },
      sources: own.map((each) => each.source),
      added_at: Math.min(...own.map((each) => each.added_at)),
    };
  });
  const last = ids.at(-1);
  return { members, next_page_token: found.length > limit && last !== undefined ? encodeOffset(last) : null };
}

/** Deleted accounts are left out of names, not of the answer. */
async function listMembersAt(ctx: Ctx, group: groups.Group, asOf: number, query: { limit?: number; page_token?: string }) {
  const afterId = decodeOffset(query.page_token);
  const limit = query.limit ?? PAGE_SIZE;
  const found = (await audit.listMembers(ctx, group.id, asOf)).filter((each) => each.accountId > afterId);
  const shown = found.slice(0, limit);
  const known = await accounts.listPrincipals(
    ctx,
    shown.map((each) => each.accountId),
  );
  const members = shown.map(({ accountId, sources, addedAt }) => ({
    account: known.get(accountId) ?? { id: accountId, kind: 'unknown', name: '' },
    sources: [...sources],
    added_at: addedAt,
  }));
  const last = shown.at(-1);
  return { members, next_page_token: found.length > limit && last !== undefined ? encodeOffset(last.accountId) : null };
}

async function removeMember(ctx: Ctx, name: string, member: string): Promise<void> {
  const group = await groups.getByName(ctx, name);
  const account = await accounts.getByName(ctx, member);
  const sources = (await groups.listMembershipsOf(ctx, group.id, [account.id])).map((each) => each.source);
  if (sources.length === 0) throw notFound(`'${member}' is no member of the group '${name}'.`);
  const provided = sources.find((source) => source !== groups.DIRECT);
  if (provided !== undefined && !sources.includes(groups.DIRECT)) {
    throw new Problem(
      'INVALID_STATE',
      `'${member}' is in the group '${name}' because the identity provider says so (${provided}), and would come back at the next sign-in. Change it there.`,
    );
  }
  await groups.removeMember(ctx, group, account.id);
}

export const groupHandlers: Handlers<(typeof groupEndpoints)[number]['id']> = {
  listGroups: async (ctx, { query }) => {
    const page = await pageById(query.limit ?? PAGE_SIZE, query.page_token, (part) => groups.listServerWide(ctx, part));
    return { groups: page.items.map(answerGroup), next_page_token: page.next };
  },
  createGroup: async (ctx, { body }) =>
    answerGroup(await groups.create(ctx, { name: body.name, description: body.description, workspaceId: groups.SERVER_WIDE })),
  getGroup: async (ctx, { params }) => answerGroup(await groups.getByName(ctx, params.name)),
  updateGroup: async (ctx, { params, body }) => answerGroup(await groups.update(ctx, await groups.getByName(ctx, params.name), body)),
  deleteGroup: async (ctx, { params }) => done(groups.remove(ctx, await groups.getByName(ctx, params.name))),
  listGroupMembers: async (ctx, { params, query }) => {
    const group = await groups.getByName(ctx, params.name);
    if (query.as_of === undefined) return listMembers(ctx, group, query);
    return listMembersAt(ctx, group, parseTime(query.as_of, 'as_of'), query);
  },
  addGroupMember: async (ctx, { params }) => {
    const group = await groups.getByName(ctx, params.name);
    return done(groups.addMember(ctx, group, await accounts.getByName(ctx, params.member)));
  },
  removeGroupMember: (ctx, { params }) => done(removeMember(ctx, params.name, params.member)),
};
