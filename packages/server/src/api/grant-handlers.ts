import type { GrantKind, GrantSubjectKind, grantEndpoints } from '@countersign/contract/grants.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound } from '@countersign/contract/problem.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import * as access from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as experiments from '../features/experiments/experiments.ts';
import * as groups from '../features/groups/groups.ts';
import * as models from '../features/models/models.ts';
import { accountIdOf, type Ctx } from '../platform/context.ts';
import { pageById } from './account-answers.ts';
import { done } from './answers.ts';
import { demandAdmin, demandManager, demandMember, getGivable, getManaged } from './grant-permissions.ts';
import type { Handlers } from './handlers.ts';

const ACCOUNT_KIND = { user: 'user', 'service-account': 'service', ci: 'ci' } as const;
const SHOWN_KIND: Readonly<Record<string, string>> = { user: 'user', service: 'service-account', ci: 'ci' };

async function findSubject(ctx: Ctx, kind: GrantSubjectKind, name: string): Promise<Pick<access.GrantKey, 'subjectKind' | 'subjectId'>> {
  if (kind === 'group') {
    // A role of the workspace, if it has one of the name.
    const group = (await groups.find(ctx, name)) ?? (await groups.find(ctx, name, ctx.workspace.id));
    if (group === undefined) throw notFound(`There is no group named '${clip(name)}'.`);
    return { subjectKind: 'group', subjectId: group.id };
  }
  const account = await accounts.findByName(ctx, name);
  if (account?.kind === ACCOUNT_KIND[kind]) return { subjectKind: 'principal', subjectId: account.id };
  throw notFound(`There is no ${kind === 'user' ? 'user' : kind === 'ci' ? 'CI identity' : 'service account'} named '${clip(name)}'.`);
}

interface Target {
  readonly kind: GrantKind;
  readonly name?: string;
  readonly prefix?: string;
  readonly everywhere?: boolean;
}

/** Refuses whoever may not give it. */
async function placeOf(ctx: Ctx, target: Target): Promise<Pick<access.GrantKey, 'workspaceId' | 'kind' | 'objectId' | 'prefix'>> {
  const { kind, name, prefix, everywhere } = target;
  if (name !== undefined && prefix !== undefined) throw invalid("Give 'name' for one object or 'prefix' for many, not both.");
  if (kind === 'workspace' && (name ?? prefix) !== undefined)
    throw invalid("A grant on the workspace takes neither 'name' nor 'prefix'. Which workspace it is, the header X-MLFLOW-WORKSPACE says.");
  if (everywhere && name !== undefined) throw invalid("'name' is an object of one workspace: leave 'everywhere' out, or give a 'prefix'.");
  if (name !== undefined && kind !== 'workspace') {
    const { id } = await getManaged(ctx, kind, name);
    return { workspaceId: ctx.workspace.id, kind, objectId: id, prefix: '' };
  }
  if (everywhere) demandAdmin(ctx);
  else demandManager(ctx);
  return {
    workspaceId: everywhere ? access.EVERY_WORKSPACE : ctx.workspace.id,
    kind,
    objectId: access.NO_OBJECT,
    prefix: prefix ?? '',
  };
}

/** Of this workspace, or of every one. */
async function answerGrants(ctx: Ctx, grants: readonly access.Grant[]) {
  const idsOf = (wanted: (grant: access.Grant) => number | undefined): number[] => [
    ...new Set(grants.flatMap((each) => wanted(each) ?? [])),
  ];
  const objectsOf = (kind: string): number[] => idsOf((each) => (each.kind === kind && each.objectId >= 0 ? each.objectId : undefined));
  const principals = await accounts.listPrincipals(
    ctx,
    idsOf((each) => (each.subjectKind === 'principal' ? each.subjectId : undefined)),
  );
  const groupNames = await groups.listNames(
    ctx,
    idsOf((each) => (each.subjectKind === 'group' ? each.subjectId : undefined)),
  );
  const modelNames = new Map((await models.listByIds(ctx, objectsOf('registered-model'))).map((each) => [each.id, each.name]));
  const experimentNames = new Map((await experiments.listByIds(ctx, objectsOf('experiment'))).map((each) => [each.id, each.name]));
  return grants.map((grant) => {
    const principal = principals.get(grant.subjectId);
    const names = grant.kind === 'experiment' ? experimentNames : modelNames;
    return {
      id: grant.id,
      workspace: grant.workspaceId === access.EVERY_WORKSPACE ? null : ctx.workspace.name,
      subject:
        grant.subjectKind === 'group'
          ? { kind: 'group', id: grant.subjectId, name: groupNames.get(grant.subjectId) ?? '' }
          : { kind: SHOWN_KIND[principal?.kind ?? ''] ?? 'unknown', id: grant.subjectId, name: principal?.name ?? '' },
      kind: grant.kind,
      name: names.get(grant.objectId) ?? null,
      object_id: grant.objectId === access.NO_OBJECT ? null : grant.objectId,
      prefix: grant.prefix === '' ? null : grant.prefix,
      level: grant.level,
      created_at: grant.createdAt,
    };
  });
}

async function listOfObject(ctx: Ctx, kind: 'registered-model' | 'experiment', name: string, inherited: boolean): Promise<access.Grant[]> {
  const { id } = await getManaged(ctx, kind, name);
  const own = await access.listOfObject(ctx, kind, id);
  if (!inherited) return own;
  const patterns = await access.listPatterns(ctx, kind);
  return [...own, ...patterns.filter((each) => name.startsWith(each.prefix))];
}

/** In this workspace and in every one. */
async function listOfSubject(ctx: Ctx, kind: GrantSubjectKind, name: string): Promise<access.Grant[]> {
  demandMember(ctx);
  const own = ctx.principal.kind === 'local' ? undefined : await accounts.findById(ctx, accountIdOf(ctx.principal));
  if (kind === 'group' || own?.name !== name || own.kind !== ACCOUNT_KIND[kind]) demandManager(ctx);
  const { subjectKind, subjectId } = await findSubject(ctx, kind, name);
  const all = await access.listOfSubject(ctx, subjectKind, subjectId);
  return all.filter((each) => each.workspaceId === ctx.workspace.id || each.workspaceId === access.EVERY_WORKSPACE);
}

interface GrantQuery {
  readonly kind?: 'registered-model' | 'experiment';
  readonly name?: string;
  readonly inherited?: boolean;
  readonly subject_kind?: GrantSubjectKind;
  readonly subject?: string;
  readonly everywhere?: boolean;
}

/** Of one object or subject; undefined where it is the workspace's that are asked for. */
function findWholeList(ctx: Ctx, query: GrantQuery): Promise<access.Grant[]> | undefined {
  const { kind, name, subject_kind: subjectKind, subject } = query;
  if ((kind === undefined) !== (name === undefined)) throw invalid("'kind' and 'name' name an object together. Give both or neither.");
  if ((subjectKind === undefined) !== (subject === undefined))
    throw invalid("'subject_kind' and 'subject' name a subject together. Give both or neither.");
  if (kind !== undefined && subject !== undefined) throw invalid('Ask for the grants of an object or of a subject, not of both.');
  if (query.inherited !== undefined && kind === undefined)
    throw invalid("'inherited' belongs to the grants of an object: give 'kind' and 'name'.");
  if (query.everywhere && (kind ?? subject) !== undefined)
    throw invalid("'everywhere' lists what holds in every workspace. Leave it out to ask for an object or a subject.");
  if (kind !== undefined && name !== undefined) return listOfObject(ctx, kind, name, query.inherited ?? false);
  if (subjectKind !== undefined && subject !== undefined) return listOfSubject(ctx, subjectKind, subject);
  return undefined;
}

type Part = { readonly afterId: number; readonly limit: number };

async function partOf(whole: readonly access.Grant[], { afterId, limit }: Part): Promise<access.Grant[]> {
  return whole
    .filter((each) => each.id > afterId)
    .sort((a, b) => a.id - b.id)
    .slice(0, limit);
}

function listOfPlace(ctx: Ctx, { everywhere }: GrantQuery): (part: Part) => Promise<access.Grant[]> {
  if (everywhere) demandAdmin(ctx);
  else demandManager(ctx);
  return (part) => access.listInWorkspace(ctx, everywhere ? access.EVERY_WORKSPACE : ctx.workspace.id, part);
}

export const grantHandlers: Handlers<(typeof grantEndpoints)[number]['id']> = {
  listGrants: async (ctx, { query }) => {
    const whole = await findWholeList(ctx, query);
    const page = await pageById(
      query.limit ?? PAGE_SIZE,
      query.page_token,
      whole ? (part) => partOf(whole, part) : listOfPlace(ctx, query),
    );
    return { grants: await answerGrants(ctx, page.items), next_page_token: page.next };
  },
  setGrant: async (ctx, { body }) => {
    const place = await placeOf(ctx, body);
    const grant = await access.setGrant(ctx, { ...place, ...(await findSubject(ctx, body.subject_kind, body.subject)) }, body.level);
    const [answer] = await answerGrants(ctx, [grant]);
    if (answer === undefined) throw new TypeError('one grant is one answer');
    return answer;
  },
  removeGrant: async (ctx, { params }) => done(access.removeGrant(ctx, await getGivable(ctx, params.id))),
};
