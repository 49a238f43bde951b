/** Who may do what: grants to accounts and groups, on one object, on names with a prefix, on a workspace or on all of them. */
import type { Access, ObjectKind } from '@countersign/contract/access.ts';
import { GRANT_LEVELS, type GrantLevel, type Level, levelOf, RANK, type Rank } from '@countersign/contract/levels.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { accountIdOf, type Ctx, reading, type TxCtx, transaction, type WorkspaceRef } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import {
  type Account,
  announceChange,
  type ConcernedByChange,
  findAccount,
  governSetting,
  recordAccess,
  takingAway,
} from '../accounts/accounts.ts';
import { DEFAULT_WORKSPACE_ID, getSettings, getWorkspace, noWorkspace, settingsOf, type Workspace } from '../workspaces/workspaces.ts';
import { compileAccess, DECIDING_KINDS, decidesAbout, fullAccess, type ReachingGrant } from './access-rules.ts';
import type { Grant, GrantKey, SubjectKind } from './grant-store.ts';
import * as store from './grant-store.ts';

export { type AccessFacts, compileAccess, fullAccess, NO_ACCESS, type ReachingGrant } from './access-rules.ts';
export type { Grant, GrantKey, SubjectKind } from './grant-store.ts';

/** Who acts where nobody asked: at the start, in commands on the host, and on a server without accounts. */
export const AS_LOCAL: Pick<Ctx, 'principal' | 'workspace' | 'access' | 'tokenScope'> = {
  principal: { id: 0, kind: 'local', name: 'local' },
  workspace: { id: DEFAULT_WORKSPACE_ID, name: 'default' },
  access: fullAccess(true),
  tokenScope: undefined,
};

/** In place of a workspace: in all of them. */
export const EVERY_WORKSPACE = -1;
/** In place of an object: by prefix, or on everything. */
export const NO_OBJECT = -1;

/** Sets the level, and makes the grant where there is none. Once more changes nothing. */
export function setGrant(ctx: Ctx, key: GrantKey, level: GrantLevel): Promise<Grant> {
  return putGrant(ctx, key, level, { govern: governGrant });
}

interface Giving {
  readonly govern?: (ctx: TxCtx, key: GrantKey, level: GrantLevel) => Promise<void>;
  readonly isOfNewObject?: boolean;
}

function putGrant(ctx: Ctx, key: GrantKey, level: GrantLevel, { govern, isOfNewObject = false }: Giving): Promise<Grant> {
  if (!GRANT_LEVELS.includes(level)) throw invalid(`There is no level '${clip(level)}'. Levels are: ${GRANT_LEVELS.join(', ')}.`);
  return transaction(ctx, async (inner) => {
    const before = await store.find(inner.tx, key);
    if (before?.level === level) return before;
    await govern?.(inner, key, level);
    return keepingManagers(inner, key, async () => {
      const at = inner.clock.now();
      const id = await store.upsert(inner.tx, key, level, at, inner.principal.id);
      await tellSet(inner, key, { id, level, before: before?.level, isOfNewObject });
      return { id, ...key, level, createdAt: before?.createdAt ?? at };
    });
  });
}

/** Who manages a workspace decides its settings. */
function keepingManagers<T>(ctx: TxCtx, key: GrantKey, work: () => Promise<T>): Promise<T> {
  return key.kind === 'workspace' ? takingAway(ctx, work) : work();
}

/** Policies may name a level as who approves; and who manages a workspace decides its settings. */
async function governGrant(ctx: TxCtx, key: GrantKey, level: GrantLevel): Promise<void> {
  if (level === 'DENY') return;
  const isManaging = key.kind === 'workspace' && level === 'MANAGE';
  const change = { setting: 'memberships', words: `give ${level} on ${wordsOf(key)}`, workspaceId: key.workspaceId } as const;
  const wasDenied = (await store.find(ctx.tx, key))?.level === 'DENY';
  await governSetting(ctx, isManaging ? change : { ...change, names: { level: wasDenied ? 'MANAGE' : level } });
}

/** Whoever is denied no more has what he is granted elsewhere, which may be any level. */
async function governUndenying(ctx: TxCtx, key: GrantKey): Promise<void> {
  const words = `no longer give DENY on ${wordsOf(key)}`;
  await governSetting(ctx, { setting: 'memberships', words, workspaceId: key.workspaceId, names: { level: 'MANAGE' } });
}

function wordsOf(key: GrantKey): string {
  const everywhere = key.workspaceId === EVERY_WORKSPACE ? ' in every workspace' : '';
  return `${key.kind} ${key.objectId < 0 ? `${key.prefix}*` : key.objectId}${everywhere} to ${key.subjectKind} ${key.subjectId}`;
}

async function tellSet(
  ctx: TxCtx,
  key: GrantKey,
  { id, level, before, isOfNewObject = false }: { id: number; level: GrantLevel; before?: GrantLevel | undefined; isOfNewObject?: boolean },
): Promise<void> {
  recordAccess(ctx, { type: 'grant.set', ...modelOf(key), data: { grant_id: id, ...factsOf(key), level, before: before ?? null } });
  await announce(ctx, key, { isOfNewObject, ...(before === undefined ? { grantId: id } : {}) });
}

/** A new grant. RESOURCE_ALREADY_EXISTS, with the words given, where there is one, whatever its level. */
export function addGrant(ctx: Ctx, key: GrantKey, level: GrantLevel, taken: string): Promise<Grant> {
  return transaction(ctx, async (inner) => {
    await governGrant(inner, key, level);
    return keepingManagers(inner, key, async () => {
      const at = inner.clock.now();
      const id = await store.insert(inner.tx, key, level, at, inner.principal.id);
      if (id === undefined) throw new Problem('RESOURCE_ALREADY_EXISTS', taken);
      await tellSet(inner, key, { id, level });
      return { id, ...key, level, createdAt: at };
    });
  });
}

/** Some set, others removed: all of it or nothing. */
export function changeGrants(
  ctx: Ctx,
  change: { readonly set: readonly { readonly key: GrantKey; readonly level: GrantLevel }[]; readonly remove: readonly Grant[] },
): Promise<void> {
  return transaction(ctx, async (inner) => {
    const work = async (): Promise<void> => {
      for (const grant of change.remove) await removeGrant(inner, grant);
      for (const { key, level } of change.set) await setGrant(inner, key, level);
    };
    // Together: one that takes another's place takes nothing away.
    const isManaging = [...change.remove, ...change.set.map(({ key }) => key)].some(({ kind }) => kind === 'workspace');
    await (isManaging ? takingAway(inner, work) : work());
  });
}

export function removeGrant(ctx: Ctx, grant: Grant): Promise<void> {
  return transaction(ctx, async (inner) => {
    if (grant.level === 'DENY') await governUndenying(inner, grant);
    await dropGrant(inner, grant);
  });
}

/** Also of what goes altogether. */
function dropGrant(ctx: TxCtx, grant: Grant): Promise<void> {
  return transaction(ctx, async (inner) => {
    await keepingManagers(inner, grant, async () => {
      await store.remove(inner.tx, grant.id);
      recordAccess(inner, {
        type: 'grant.removed',
        ...modelOf(grant),
        data: { grant_id: grant.id, ...factsOf(grant), level: grant.level },
      });
      await announce(inner, grant);
    });
  });
}

function modelOf(key: GrantKey): { modelId?: number } {
  return (key.kind === 'registered-model' || key.kind === 'prompt') && key.objectId >= 0 ? { modelId: key.objectId } : {};
}

function factsOf(key: GrantKey) {
  return {
    workspace: key.workspaceId,
    subject_kind: key.subjectKind,
    subject_id: key.subjectId,
    kind: key.kind,
    object_id: key.objectId,
    prefix: key.prefix,
  };
}

async function announce(ctx: TxCtx, key: GrantKey, added: Omit<ConcernedByChange, 'principalId'> = {}): Promise<void> {
  if (key.subjectKind === 'group') return announceChange(ctx);
  await announceChange(ctx, { ...added, principalId: key.subjectId });
}

/** For what only the room itself knows: where a version comes from, what a transition leaves. Throws PERMISSION_DENIED. */
export function demand(ctx: Ctx, kind: ObjectKind, object: { readonly id: number; readonly name?: string }, level: Level): void {
  if (ctx.access.floorOf(kind) >= RANK[level] || ctx.access.rankOf(kind, object) >= RANK[level]) return;
  throw denied(ctx, kind, object.name ?? String(object.id), level);
}

/** The same for what a request names beside the object that the gate judged, whether it is there or not. */
export function demandByName(ctx: Ctx, kind: ObjectKind, name: string, level: Level): void {
  if (ctx.access.rankOfName(kind, name) < RANK[level]) throw denied(ctx, kind, name, level);
}

/** Names decide what prefixes give: nobody gets more on an object by giving it another name. Throws PERMISSION_DENIED. */
export function demandNoGain(ctx: Ctx, kind: ObjectKind, object: { readonly id: number; readonly name: string }, newName: string): void {
  if (ctx.access.rankOf(kind, { id: object.id, name: newName }) <= ctx.access.rankOf(kind, object)) return;
  throw new Problem(
    'PERMISSION_DENIED',
    `Permission denied: called '${clip(newName)}', '${clip(object.name)}' would be one of those on which '${clip(ctx.principal.name)}' may do more than on it now. ` +
      'Ask whoever manages it to rename it, or choose another name.',
  );
}

function denied(ctx: Ctx, kind: ObjectKind, called: string, level: Level): Problem {
  const which = `${kind === 'experiment' ? 'the experiment' : 'the registered model'} '${clip(called)}'`;
  return new Problem(
    'PERMISSION_DENIED',
    `Permission denied: '${clip(ctx.principal.name)}' needs ${level} on ${which}. Ask whoever manages it, or an administrator of the workspace.`,
  );
}

/** Makes whoever creates an object its manager, unless the workspace says otherwise. */
export async function grantCreator(ctx: TxCtx, kind: ObjectKind, objectId: number): Promise<void> {
  if (ctx.principal.kind === 'local' || !(await getSettings(ctx)).creator_manages) return;
  const key = { ...ofPrincipal(accountIdOf(ctx.principal)), workspaceId: ctx.workspace.id, kind, objectId, prefix: '' };
  // That creators manage what they create is a setting of the workspace, and was decided there.
  await putGrant(ctx, key, 'MANAGE', { isOfNewObject: true });
}

function ofPrincipal(id: number): { subjectKind: SubjectKind; subjectId: number } {
  return { subjectKind: 'principal', subjectId: id };
}

/** After a model got another name, went or came back: names decide who reaches it. */
export function announceRename(ctx: TxCtx): Promise<void> {
  return announceChange(ctx);
}

export function findGrant(ctx: Ctx, key: GrantKey): Promise<Grant | undefined> {
  return store.find(reading(ctx), key);
}

export function findGrantById(ctx: Ctx, id: number): Promise<Grant | undefined> {
  return store.findById(reading(ctx), id);
}

/** RESOURCE_DOES_NOT_EXIST. */
export async function getGrant(ctx: Ctx, id: number): Promise<Grant> {
  const grant = await store.findById(reading(ctx), id);
  if (grant === undefined) throw notFound(`There is no grant with the id ${id}.`);
  return grant;
}

export function listOfSubject(ctx: Ctx, subjectKind: SubjectKind, subjectId: number): Promise<Grant[]> {
  return store.listOfSubject(reading(ctx), subjectKind, subjectId);
}

/** The same for several subjects of a kind. */
export function listOfSubjects(ctx: Ctx, subjectKind: SubjectKind, subjectIds: readonly number[]): Promise<Grant[]> {
  return store.listOfSubjects(reading(ctx), subjectKind, subjectIds);
}

/** Those on the object itself, whatever it was called when it was granted. What was granted on it in another workspace is nothing here. */
export async function listOfObject(ctx: Ctx, kind: ObjectKind, objectId: number): Promise<Grant[]> {
  const grants = await store.listOfObject(reading(ctx), DECIDING_KINDS[kind], objectId);
  return grants.filter((grant) => grant.workspaceId === ctx.workspace.id || grant.workspaceId === EVERY_WORKSPACE);
}

/** Those that reach objects of the kind without naming one: by prefix, on everything, on the workspace. */
export async function listPatterns(ctx: Ctx, kind: ObjectKind): Promise<Grant[]> {
  const grants = await store.listPatterns(reading(ctx), ctx.workspace.id, DECIDING_KINDS[kind]);
  return grants.filter((grant) => grant.kind === 'workspace' || decidesAbout(kind, grant));
}

export function listInWorkspace(ctx: Ctx, workspaceId: number, page: { afterId: number; limit: number }): Promise<Grant[]> {
  return store.listInWorkspace(reading(ctx), workspaceId, page);
}

/** All grants of an account that goes. In the caller's transaction. */
export async function forgetSubject(ctx: TxCtx, subjectKind: SubjectKind, subjectId: number): Promise<void> {
  for (const grant of await store.listOfSubject(ctx.tx, subjectKind, subjectId)) await dropGrant(ctx, grant);
}

/** With the workspace it holds in: -1 is every one. */
export interface PlacedGrant extends ReachingGrant {
  readonly workspaceId: number;
}

/** What an account may do in a workspace, compiled anew: for questions about others and about other workspaces than the request's. */
export async function accessIn(ctx: Ctx, account: Account, workspaceId: number): Promise<Access> {
  if (account.kind === 'local') return fullAccess(true);
  const db = reading(ctx);
  const { member_level: level } = await settingsOf(db, workspaceId);
  return compileFor(account, workspaceId, level === 'NONE' ? 0 : RANK[level], await listReaching(db, account.id));
}

export type AccessSubject = Pick<Account, 'id' | 'kind' | 'isAdmin'>;

/** What several accounts may do in the workspace, but for what is granted on one object alone. */
export interface GeneralAccess {
  readonly memberRank: Rank;
  readonly grants: ReadonlyMap<number, readonly PlacedGrant[]>;
  readonly compiled: ReadonlyMap<number, Access>;
}

/** Two statements, however many they are. */
export async function readGeneralAccess(ctx: Ctx, subjects: readonly AccessSubject[]): Promise<GeneralAccess> {
  const db = reading(ctx);
  const { member_level: least } = await settingsOf(db, ctx.workspace.id);
  const memberRank = least === 'NONE' ? 0 : RANK[least];
  const rows = await store.listReachingMany(
    db,
    subjects.map((each) => each.id),
    ctx.workspace.id,
  );
  const grants = groupPlaced(rows);
  const compile = (subject: AccessSubject): Access => compileOf(ctx, subject, memberRank, grants.get(subject.id) ?? []);
  return { memberRank, grants, compiled: new Map(subjects.map((subject) => [subject.id, compile(subject)])) };
}

function groupPlaced(rows: readonly store.ReachingOfRow[]): ReadonlyMap<number, readonly PlacedGrant[]> {
  return new Map([...Map.groupBy(rows, (row) => row.principal_id)].map(([id, own]) => [id, own.map(placed)]));
}

function compileOf(ctx: Ctx, subject: AccessSubject, memberRank: Rank, grants: readonly PlacedGrant[]): Access {
  return subject.kind === 'local' ? fullAccess(true) : compileFor(subject, ctx.workspace.id, memberRank, grants);
}

/** What several accounts have on one model of the workspace, by account: one statement more. Whoever has nothing is left out. */
export async function listLevelsOn(
  ctx: Ctx,
  subjects: readonly AccessSubject[],
  { memberRank, grants, compiled }: GeneralAccess,
  /** undefined: who manages the workspace, and nobody else, has MANAGE. */
  model: { readonly id: number; readonly name: string } | undefined,
): Promise<ReadonlyMap<number, Level>> {
  const ids = subjects.map((each) => each.id);
  const rows = model === undefined ? [] : await store.listOnObject(reading(ctx), DECIDING_KINDS['registered-model'], model.id, ids);
  const onModel = groupPlaced(rows);
  const levels = new Map<number, Level>();
  for (const subject of subjects) {
    const own = onModel.get(subject.id);
    const access =
      own === undefined ? compiled.get(subject.id) : compileOf(ctx, subject, memberRank, [...(grants.get(subject.id) ?? []), ...own]);
    const managing = access?.isManager ? ('MANAGE' as const) : undefined;
    const level = model === undefined ? managing : levelOf(access?.rankOf('registered-model', model) ?? 0);
    if (level !== undefined) levels.set(subject.id, level);
  }
  return levels;
}

/** Active people who administer the server or manage the workspace, at most 1,000. */
export function listManagerIds(ctx: Ctx): Promise<number[]> {
  return store.listManagerIds(reading(ctx), ctx.workspace.id);
}

/** From all grants that reach an account, of whatever workspace. `memberRank`: what the workspace gives a member on every object. */
export function compileFor(account: AccessSubject, workspaceId: number, memberRank: Rank, grants: readonly PlacedGrant[]): Access {
  return compileAccess(
    {
      isAdmin: account.isAdmin,
      // A job's identity gets what it is granted and nothing else.
      isBornMember: workspaceId === DEFAULT_WORKSPACE_ID && account.kind !== 'ci',
      memberRank,
    },
    grants.filter((each) => each.workspaceId === workspaceId || each.workspaceId === EVERY_WORKSPACE),
  );
}

/** Which of these workspaces are there for the caller. */
export async function listOwn<W extends { readonly id: number }>(ctx: Ctx, workspaces: readonly W[]): Promise<W[]> {
  if (ctx.access.isAdmin) return [...workspaces];
  const account = await findAccount(reading(ctx), accountIdOf(ctx.principal));
  if (account === undefined) return [];
  const byWorkspace = Map.groupBy(await listReaching(reading(ctx), account.id), (grant) => grant.workspaceId);
  const everywhere = byWorkspace.get(EVERY_WORKSPACE) ?? [];
  return workspaces.filter(({ id }) => compileFor(account, id, 0, [...(byWorkspace.get(id) ?? []), ...everywhere]).isMember);
}

/** RESOURCE_DOES_NOT_EXIST also for one that the caller isn't a member of. */
export async function getOwn(ctx: Ctx, name: string): Promise<Workspace> {
  const workspace = await getWorkspace(ctx, name);
  if ((await listOwn(ctx, [workspace])).length === 0) throw noWorkspace(name);
  return workspace;
}

/** All grants in a workspace that goes; those on its objects go along to another workspace. In the caller's transaction. */
export async function forgetWorkspace(ctx: TxCtx, objectsTo: WorkspaceRef | undefined): Promise<void> {
  for (;;) {
    const page = await store.listInWorkspace(ctx.tx, ctx.workspace.id, { afterId: -1, limit: FORGOTTEN_PAGE });
    for (const { id, createdAt, level, ...key } of page) {
      await dropGrant(ctx, { id, createdAt, level, ...key });
      if (objectsTo !== undefined && key.objectId >= 0)
        await setGrant({ ...ctx, workspace: objectsTo }, { ...key, workspaceId: objectsTo.id }, level);
    }
    if (page.length < FORGOTTEN_PAGE) return;
  }
}

const FORGOTTEN_PAGE = 1000;

/** What compiles into a principal's access, over all workspaces. */
export async function listReaching(db: Queries, principalId: number): Promise<PlacedGrant[]> {
  return (await store.listReaching(db, principalId)).map(placed);
}

export async function findReaching(db: Queries, grantId: number): Promise<PlacedGrant | undefined> {
  const row = await store.findReaching(db, grantId);
  return row && placed(row);
}

function placed(row: store.ReachingRow): PlacedGrant {
  return {
    workspaceId: row.workspace_id,
    kind: row.kind,
    objectId: row.object_id,
    objectName: row.object_name,
    prefix: row.prefix,
    level: row.level,
  };
}
