import type { Queries } from '../../platform/db/database.ts';

/** Of a version, or of a candidate, which has no number yet. */
export type Owner = { readonly versionId: number } | { readonly candidateId: number };

export interface SnapshotRow {
  /** From 1, without gaps. */
  readonly number: number;
  readonly digest: string;
  readonly body: string;
  readonly takenAt: number;
  readonly takenBy: number;
}

const COLUMNS = 'number, digest, body, taken_at AS "takenAt", taken_by AS "takenBy"';

function isOfVersion(owner: Owner): owner is { readonly versionId: number } {
  return 'versionId' in owner;
}

/** By evidence_by_version or evidence_by_candidate. */
export function findNewest(db: Queries, owner: Owner): Promise<SnapshotRow | undefined> {
  const [column, id] = isOfVersion(owner) ? ['version_id', owner.versionId] : ['candidate_id', owner.candidateId];
  return db.one<SnapshotRow>(`SELECT ${COLUMNS} FROM evidence_snapshots WHERE ${column} = ? ORDER BY number DESC LIMIT 1`, id);
}

/** By evidence_by_version. */
export function findByDigest(db: Queries, versionId: number, digest: string): Promise<SnapshotRow | undefined> {
  return db.one<SnapshotRow>(
    `SELECT ${COLUMNS} FROM evidence_snapshots WHERE version_id = ? AND digest = ? ORDER BY number DESC LIMIT 1`,
    versionId,
    digest,
  );
}

/** Oldest first, by evidence_by_version. */
export function listOfVersion(db: Queries, versionId: number, limit: number): Promise<SnapshotRow[]> {
  return db.all<SnapshotRow>(`SELECT ${COLUMNS} FROM evidence_snapshots WHERE version_id = ? ORDER BY number LIMIT ?`, versionId, limit);
}

/** False where somebody took one of this number at the same moment. */
export async function insert(tx: Queries, owner: Owner, row: SnapshotRow): Promise<boolean> {
  const changed = await tx.run(
    'INSERT INTO evidence_snapshots (version_id, candidate_id, number, digest, body, taken_at, taken_by) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    isOfVersion(owner) ? owner.versionId : null,
    isOfVersion(owner) ? null : owner.candidateId,
    row.number,
    row.digest,
    row.body,
    row.takenAt,
    row.takenBy,
  );
  return changed > 0;
}
