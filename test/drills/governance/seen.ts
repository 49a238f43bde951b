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
  /** On the wire. */
  readonly number: number;
  readonly isAlive: boolean;
  /** Registered as one. */
  readonly isPrompt: boolean;
  readonly description: string | null;
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
  readonly workspace: number;
  readonly model: number | null;
  readonly version: number | null;
  readonly target: string;
  readonly change: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

/** What a workspace says of its stages. */
export interface SeenStages {
  readonly names: readonly string[];
  /** Those that ask for the level of Production. */
  readonly high: readonly string[];
  /** `from to`; undefined: along every one. */
  readonly edges: ReadonlySet<string> | undefined;
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
  readonly workspace: number;
  readonly name: string;
  readonly hash: string;
  readonly document: PolicyWords;
}

interface PlaceWords {
  readonly stage?: string;
  readonly alias?: string;
  readonly entry?: boolean;
}

export interface FreezeWords {
  readonly weekly?: { readonly from: string; readonly to: string };
  readonly dated?: { readonly from: string; readonly to: string };
  readonly time_zone: string;
}

export interface RoleWords {
  readonly group?: string;
  readonly level?: string;
  readonly count: number;
}

export interface PolicyWords {
  readonly mode: string;
  readonly match: {
    readonly model: string;
    readonly tags: Readonly<Record<string, string>>;
    readonly target: PlaceWords & { readonly tag?: string; readonly setting?: string; readonly prompt?: PlaceWords };
  };
  readonly requirements: {
    readonly sealed: boolean;
    readonly self_approval: boolean;
    readonly approvals: readonly RoleWords[];
    readonly count_person_in: string;
    readonly exclude: readonly string[];
    readonly unlinked: string;
    readonly quiet_after_change: string;
    readonly checks: readonly { readonly name: string; readonly max_age?: string }[];
    readonly metrics: readonly { readonly name: string; readonly value?: number; readonly current?: { readonly tolerance: number } }[];
    readonly tags: readonly { readonly key: string; readonly value?: string }[];
    readonly description: boolean;
    readonly model_card_sections: readonly string[];
    readonly signature: boolean;
    readonly input_example: boolean;
    readonly breaking_signature_needs?: { readonly group: string; readonly count: number };
    readonly soak?: { readonly stage?: string; readonly alias?: string; readonly at_least: string };
    readonly registered_by?: { readonly trust: string };
    readonly expressions?: readonly { readonly name: string }[];
  };
  readonly freeze: readonly FreezeWords[];
  readonly expiry: { readonly request: string; readonly approval: string };
  readonly rollback?: { readonly within_days: number; readonly roles: readonly { readonly group?: string }[] };
  readonly break_glass?: { readonly permission: string; readonly minutes: number };
  readonly supersedes?: string;
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
  /** Of a workspace that never said anything, those of MLflow. */
  readonly stages: ReadonlyMap<number, SeenStages>;
  /** Those that are there. */
  readonly workspaces: ReadonlySet<number>;
}

interface VersionRow extends Omit<SeenVersion, 'isAlive' | 'isPrompt' | 'tags' | 'evidence'> {
  readonly deletedAt: number | null;
  readonly isPrompt: number;
}

const VERSIONS =
  'SELECT v.id, v.model_id AS model, v.version AS number, v.is_prompt AS "isPrompt", v.description, v.stage, t.digest, v.source, v.run_id AS "runId", v.registered_by AS "registeredBy", v.edited_by AS "editedBy", ' +
  'v.origin_version_id AS origin, v.deleted_at AS "deletedAt" FROM model_versions v LEFT JOIN trees t ON t.id = v.tree_id';
const NEWEST_EVIDENCE =
  'SELECT version_id AS version, candidate_id AS candidate, digest FROM evidence_snapshots e WHERE NOT EXISTS (SELECT 1 FROM evidence_snapshots n ' +
  'WHERE n.number > e.number AND n.version_id = e.version_id)';
const POLICIES = 'SELECT workspace_id AS workspace, name, hash, document FROM policies WHERE withdrawn_at IS NULL';
const REQUESTS =
  'SELECT id, about, subject, created_by AS "by", state, workspace_id AS workspace, model_id AS model, version_id AS version, target, change, ' +
  'created_at AS "createdAt", expires_at AS "expiresAt" FROM requests';
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
  const requests = await db.all<SeenRequest>(REQUESTS);
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
  const settings = await db.all<StageRow>(
    "SELECT workspace_id AS workspace, name, value FROM settings WHERE name IN ('stages', 'stage_edges')",
  );
  const workspaces = await db.all<{ id: number }>('SELECT id FROM workspaces WHERE deleted_at IS NULL');
  const isAlive = new Map(models.map((each) => [each.id, each.deletedAt === null]));
  return {
    models: new Map(
      models.map(({ deletedAt, ...each }) => [each.id, { ...each, isAlive: deletedAt === null, tags: modelTags.get(each.id) ?? NO_TAGS }]),
    ),
    versions: new Map(
      versions.map(({ deletedAt, isPrompt, ...each }) => [
        each.id,
        {
          ...each,
          isPrompt: isPrompt === 1,
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
    stages: stagesIn(settings),
    workspaces: new Set(workspaces.map((each) => each.id)),
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

interface StageRow {
  readonly workspace: number;
  readonly name: string;
  readonly value: string;
}

const OF_MLFLOW: SeenStages = { names: ['None', 'Staging', 'Production', 'Archived'], high: ['Production'], edges: undefined };

export function stagesOf(seen: Seen, workspace: number): SeenStages {
  return seen.stages.get(workspace) ?? OF_MLFLOW;
}

function stagesIn(rows: readonly StageRow[]): ReadonlyMap<number, SeenStages> {
  return new Map(
    [...Map.groupBy(rows, (row) => row.workspace)].map(([workspace, own]) => {
      const read = (name: string): unknown => JSON.parse(own.find((row) => row.name === name)?.value ?? 'null');
      const stages = read('stages') as readonly { readonly name: string; readonly level: string }[] | null;
      const edges = read('stage_edges') as readonly { readonly from: string; readonly to: string }[] | null;
      return [
        workspace,
        {
          names: stages?.map(({ name }) => name) ?? OF_MLFLOW.names,
          high: stages?.filter(({ level }) => level === 'MANAGE_PRODUCTION').map(({ name }) => name) ?? OF_MLFLOW.high,
          edges: edges === null ? undefined : new Set(edges.map(({ from, to }) => `${from} ${to}`)),
        },
      ];
    }),
  );
}
