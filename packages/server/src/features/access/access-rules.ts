/** What a principal may do in a workspace, compiled from the grants that reach it. Pure. */
import type { Access, ObjectKind, ObjectSet, Scope } from '@countersign/contract/access.ts';
import { SEES_ALL } from '@countersign/contract/access.ts';
import { type GrantLevel, RANK, type Rank } from '@countersign/contract/levels.ts';

/** A grant to the principal itself or to one of its groups. */
export interface ReachingGrant {
  readonly kind: string;
  /** -1 where it isn't about one object. */
  readonly objectId: number;
  /** Of a registered model that exists. */
  readonly objectName: string | null;
  /** Of names; '' with `objectId` -1: every object. */
  readonly prefix: string;
  readonly level: GrantLevel;
}

export interface AccessFacts {
  readonly isAdmin: boolean;
  /** A member without a grant of its own: everybody in the default workspace. */
  readonly isBornMember: boolean;
  /** What a member has on every object. */
  readonly memberRank: Rank;
}

export const NO_ACCESS: Access = compileAccess({ isAdmin: false, isBornMember: false, memberRank: 0 }, []);

/** Of the local principal of a server without accounts, of administrators and of managers. */
export function fullAccess(isAdmin: boolean): Access {
  return {
    isAdmin,
    isManager: true,
    mayCreate: true,
    isMember: true,
    floorOf: () => RANK.MANAGE,
    looksAtNames: () => false,
    rankOf: () => RANK.MANAGE,
    rankOfName: () => RANK.MANAGE,
    scopeOf: () => SEES_ALL,
  };
}

/** The highest of what matches; a DENY that matches takes all. MANAGE on the workspace stands above every DENY. */
export function compileAccess(facts: AccessFacts, grants: readonly ReachingGrant[]): Access {
  const ofWorkspace = grants.filter((each) => each.kind === 'workspace');
  if (facts.isAdmin || ofWorkspace.some((each) => each.level === 'MANAGE')) return fullAccess(facts.isAdmin);
  const isBarred = ofWorkspace.some((each) => each.level === 'DENY');
  const isMember = !isBarred && (facts.isBornMember || ofWorkspace.length > 0);
  let floor = isMember ? facts.memberRank : 0;
  // USE of a workspace is membership alone, as upstream has it; the other levels hold for everything in it.
  for (const { level } of ofWorkspace) if (level !== 'USE' && level !== 'DENY') floor = Math.max(floor, RANK[level]);
  const rules = {
    experiment: rulesOf('experiment', grants, isBarred, floor),
    'registered-model': rulesOf('registered-model', grants, isBarred, floor),
  };
  return {
    isAdmin: false,
    isManager: false,
    mayCreate: !isBarred && (facts.isBornMember || ofWorkspace.some((each) => each.level !== 'DENY' && RANK[each.level] >= RANK.USE)),
    isMember: isMember || (!isBarred && grants.some((each) => each.kind !== 'workspace' && each.level !== 'DENY')),
    floorOf: (kind) => rules[kind].floor,
    looksAtNames: (kind) => rules[kind].looksAtNames,
    rankOf: (kind, { id, name }) => rules[kind].rankOf(id, name),
    rankOfName: (kind, name) => rules[kind].rankOf(rules[kind].idsByName.get(name), name),
    scopeOf: (kind) => rules[kind].scope,
  };
}

interface KindRules {
  /** Every object has at least this. */
  readonly floor: Rank;
  readonly looksAtNames: boolean;
  readonly idsByName: ReadonlyMap<string, number>;
  readonly rankOf: (id: number | undefined, name: string | undefined) => Rank;
  readonly scope: Scope;
}

/** What follows an object is granted with it, so these kinds of grants decide about it; all others decide nothing here. */
export const DECIDING_KINDS: Readonly<Record<ObjectKind, readonly string[]>> = {
  experiment: ['experiment', 'run', 'logged-model'],
  'registered-model': ['registered-model', 'registered-model-version', 'prompt'],
};

/** All prompts are not all models, and which models are prompts isn't known here: a grant on all of them gives nothing. */
export function decidesAbout(kind: ObjectKind, grant: Pick<ReachingGrant, 'kind' | 'objectId' | 'prefix'>): boolean {
  if (grant.kind === 'prompt' && grant.objectId < 0 && grant.prefix === '') return false;
  return DECIDING_KINDS[kind].includes(grant.kind);
}

function rulesOf(kind: ObjectKind, all: readonly ReachingGrant[], isBarred: boolean, memberFloor: Rank): KindRules {
  const grants = isBarred ? [] : all.filter((each) => decidesAbout(kind, each));
  let base = memberFloor;
  let isDenied = isBarred;
  const ranks = new Map<number, Rank>();
  const prefixes: { readonly prefix: string; readonly rank: Rank }[] = [];
  const hidden = { ids: new Set<number>(), prefixes: [] as string[] };
  const idsByName = new Map<string, number>();
  for (const { objectId, objectName, prefix, level } of grants) {
    if (objectId >= 0) {
      if (level === 'DENY') hidden.ids.add(objectId);
      else ranks.set(objectId, Math.max(ranks.get(objectId) ?? 0, RANK[level]));
      if (objectName !== null) idsByName.set(objectName, objectId);
    } else if (prefix !== '') {
      if (level === 'DENY') hidden.prefixes.push(prefix);
      else prefixes.push({ prefix, rank: RANK[level] });
    } else if (level === 'DENY') isDenied = true;
    else base = Math.max(base, RANK[level]);
  }
  if (isDenied) return { floor: 0, looksAtNames: false, idsByName, rankOf: () => 0, scope: scopeOf(false, NOTHING, NOTHING) };
  const hasHidden = hidden.ids.size > 0 || hidden.prefixes.length > 0;
  return {
    floor: hasHidden ? 0 : base,
    looksAtNames: prefixes.length > 0 || hidden.prefixes.length > 0,
    idsByName,
    rankOf: (id, name) => {
      if (id !== undefined && hidden.ids.has(id)) return 0;
      if (name !== undefined && hidden.prefixes.some((each) => name.startsWith(each))) return 0;
      let rank = Math.max(base, id === undefined ? 0 : (ranks.get(id) ?? 0));
      if (name !== undefined) for (const each of prefixes) if (each.rank > rank && name.startsWith(each.prefix)) rank = each.rank;
      return rank;
    },
    scope: scopeOf(
      base > 0,
      base > 0 ? NOTHING : { ids: [...ranks.keys()].filter((id) => !hidden.ids.has(id)), prefixes: prefixes.map((each) => each.prefix) },
      { ids: [...hidden.ids], prefixes: hidden.prefixes },
    ),
  };
}

const NOTHING: ObjectSet = { ids: [], prefixes: [] };

function scopeOf(everything: boolean, shown: ObjectSet, hidden: ObjectSet): Scope {
  return { everything, shown, hidden };
}
