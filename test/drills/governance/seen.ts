/** What stands in the tables at one moment, read without the product's code: before and after each step of a drill. */
import type { Queries } from '@countersign/server/platform/db/database.ts';

export interface SeenModel {
  readonly id: number;
  readonly workspace: number;
  readonly name: string;
  readonly isAlive: boolean;
  readonly tags: ReadonlyMap<string, string>;
}

export interface SeenVersion {
  readonly id: number;
  readonly model: number;
  readonly isAlive: boolean;
  readonly stage: string;
  readonly digest: string | null;
  readonly evidence: string | undefined;
  readonly source: string;
  readonly runId: string;
  readonly registeredBy: number;
  readonly editedBy: number;
  readonly origin: number | null;
  readonly tags: ReadonlyMap<string, string>;
}

export interface SeenRequest {
  readonly id: number;
  readonly about: string;
  readonly subject: string;
  readonly by: number;
  readonly state: string;
}

export interface SeenCandidate {
  readonly id: number;
  readonly model: number;
  readonly digest: string | null;
  readonly by: number;
  readonly evidence: string | undefined;
}

/** As published; the oracle reads the document by itself. */
export interface SeenPolicy {
  readonly name: string;
  readonly hash: string;
  readonly document: PolicyWords;
}

export interface PolicyWords {
  readonly mode: string;
  readonly match: {
    readonly model: string;
    readonly tags: Readonly<Record<string, string>>;
    readonly target: {
      readonly stage?: string;
      readonly alias?: string;
      readonly entry?: boolean;
      readonly tag?: string;
      readonly setting?: string;
    };
  };
  readonly requirements: {
    readonly sealed: boolean;
    readonly self_approval: boolean;
    readonly approvals: readonly { readonly group?: string; readonly level?: string; readonly count: number }[];
    readonly count_person_in: string;
    readonly exclude: readonly string[];
    readonly unlinked: string;
    readonly quiet_after_change: string;
    readonly checks: readonly { readonly name: string }[];
    readonly metrics: readonly { readonly name: string; readonly value?: number }[];
  };
  readonly expiry: { readonly approval: string };
  readonly rollback?: { readonly within_days: number; readonly roles: readonly { readonly group?: string }[] };
  readonly break_glass?: { readonly permission: string; readonly minutes: number };
}

export interface Seen {
  readonly models: ReadonlyMap<number, SeenModel>;
  readonly versions: ReadonlyMap<number, SeenVersion>;
  /** `model alias` to the version. */
  readonly aliases: ReadonlyMap<string, number>;
  readonly policies: ReadonlyMap<number, readonly SeenPolicy[]>;
  readonly requests: ReadonlyMap<number, SeenRequest>;
  readonly candidates: ReadonlyMap<number, SeenCandidate>;
  /** `group account`. */
  readonly members: ReadonlySet<string>;
  readonly accounts: ReadonlyMap<number, { readonly isAdmin: boolean; readonly isActive: boolean; readonly owner: number | null }>;
  /** `workspace digest`. */
  readonly blocks: ReadonlySet<string>;
  /** `workspace permission account`. */
  readonly permissions: ReadonlySet<string>;
  /** Tokens of each account. */
  readonly tokens: ReadonlyMap<number, number>;
}

interface VersionRow extends Omit<SeenVersion, 'isAlive' | 'tags' | 'evidence'> {
  readonly deletedAt: number | null;
}

const VERSIONS =
  'SELECT v.id, v.model_id AS model, v.stage, t.digest, v.source, v.run_id AS "runId", v.registered_by AS "registeredBy", v.edited_by AS "editedBy", ' +
  'v.origin_version_id AS origin, v.deleted_at AS "deletedAt" FROM model_versions v LEFT JOIN trees t ON t.id = v.tree_id';
const NEWEST_EVIDENCE =
  'SELECT version_id AS version, candidate_id AS candidate, digest FROM evidence_snapshots e WHERE NOT EXISTS (SELECT 1 FROM evidence_snapshots n ' +
  'WHERE n.number > e.number AND n.version_id = e.version_id)';
const POLICIES = 'SELECT workspace_id AS workspace, name, hash, document FROM policies WHERE withdrawn_at IS NULL';
const CANDIDATES = 'SELECT id, model_id AS model, digest, created_by AS "by" FROM candidates';
const MEMBERS = 'SELECT g.name, m.principal_id AS id FROM group_members m JOIN account_groups g ON g.id = m.group_id';

export async function see(db: Queries): Promise<Seen> {
  const models = await db.all<{ id: number; workspace: number; name: string; deletedAt: number | null }>(
    'SELECT id, workspace_id AS workspace, name, deleted_at AS "deletedAt" FROM registered_models',
  );
  const modelTags = tagsOf(await db.all<TagRow>('SELECT model_id AS id, key, value FROM registered_model_tags'));
  const versions = await db.all<VersionRow>(VERSIONS);
  const versionTags = tagsOf(await db.all<TagRow>('SELECT version_id AS id, key, value FROM model_version_tags'));
  const evidence = await db.all<{ version: number | null; candidate: number | null; digest: string }>(NEWEST_EVIDENCE);
  const ofVersion = new Map(evidence.map((each) => [each.version, each.digest]));
  const ofCandidate = new Map(evidence.map((each) => [each.candidate, each.digest]));
  const aliases = await db.all<{ model: number; alias: string; version: number }>(
    'SELECT model_id AS model, alias, version_id AS version FROM model_aliases',
  );
  const policies = await db.all<{ workspace: number; name: string; hash: string; document: string }>(POLICIES);
  const requests = await db.all<SeenRequest>('SELECT id, about, subject, created_by AS "by", state FROM requests');
  const candidates = await db.all<Omit<SeenCandidate, 'evidence'>>(CANDIDATES);
  const members = await db.all<{ name: string; id: number }>(MEMBERS);
  const accounts = await db.all<{ id: number; isAdmin: number; state: string; owner: number | null }>(
    'SELECT id, is_admin AS "isAdmin", state, owner_id AS owner FROM principals',
  );
  const blocks = await db.all<{ workspace: number; digest: string }>(
    'SELECT workspace_id AS workspace, digest FROM digest_blocks WHERE lifted_at IS NULL',
  );
  const held = await db.all<{ workspace: number; permission: string; id: number }>(
    'SELECT workspace_id AS workspace, permission, subject_id AS id FROM permission_holders',
  );
  const tokens = await db.all<{ id: number; count: number }>(
    'SELECT principal_id AS id, COUNT(*) AS count FROM tokens GROUP BY principal_id',
  );
  const isAlive = new Map(models.map((each) => [each.id, each.deletedAt === null]));
  return {
    models: new Map(
      models.map(({ deletedAt, ...each }) => [each.id, { ...each, isAlive: deletedAt === null, tags: modelTags.get(each.id) ?? NO_TAGS }]),
    ),
    versions: new Map(
      versions.map(({ deletedAt, ...each }) => [
        each.id,
        {
          ...each,
          isAlive: deletedAt === null && isAlive.get(each.model) === true,
          evidence: ofVersion.get(each.id),
          tags: versionTags.get(each.id) ?? NO_TAGS,
        },
      ]),
    ),
    aliases: new Map(aliases.map((each) => [`${each.model} ${each.alias}`, each.version])),
    policies: Map.groupBy(
      policies.map(({ document, ...each }) => ({ ...each, document: JSON.parse(document) as PolicyWords })),
      (each) => each.workspace,
    ),
    requests: new Map(requests.map((each) => [each.id, each])),
    candidates: new Map(candidates.map((each) => [each.id, { ...each, evidence: ofCandidate.get(each.id) }])),
    members: new Set(members.map((each) => `${each.name} ${each.id}`)),
    accounts: new Map(
      accounts.map((each) => [each.id, { isAdmin: each.isAdmin === 1, isActive: each.state === 'active', owner: each.owner }]),
    ),
    blocks: new Set(blocks.map((each) => `${each.workspace} ${each.digest}`)),
    permissions: new Set(held.map((each) => `${each.workspace} ${each.permission} ${each.id}`)),
    tokens: new Map(tokens.map((each) => [each.id, Number(each.count)])),
  };
}

interface TagRow {
  readonly id: number;
  readonly key: string;
  readonly value: string;
}

const NO_TAGS: ReadonlyMap<string, string> = new Map();

function tagsOf(rows: readonly TagRow[]): ReadonlyMap<number, ReadonlyMap<string, string>> {
  return new Map([...Map.groupBy(rows, (row) => row.id)].map(([id, own]) => [id, new Map(own.map((row) => [row.key, row.value]))]));
}
