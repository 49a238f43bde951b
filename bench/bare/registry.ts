// Registered models and versions of the bare server. SQLite builds the JSON of tags and aliases.
import type { StatementSync } from 'node:sqlite';
import type { Fields } from '../bare.ts';
import type { BareDatabase } from './database.ts';

type Row = Record<string, unknown>;

const versionColumns = `m.name, v.version, v.created, v.updated, v.stage, v.description, v.source, v.run_id,
  (SELECT json_group_array(json_object('key', key, 'value', value)) FROM version_tags t WHERE t.model_id = v.model_id AND t.version = v.version) AS tags,
  (SELECT json_group_array(alias) FROM aliases a WHERE a.model_id = v.model_id AND a.version = v.version) AS aliases`;
const modelColumns = `m.id, m.name, m.description, m.created, m.updated,
  (SELECT json_group_array(json_object('key', key, 'value', value)) FROM model_tags t WHERE t.model_id = m.id) AS tags,
  (SELECT json_group_array(json_object('alias', alias, 'version', CAST(version AS TEXT))) FROM aliases a WHERE a.model_id = m.id) AS aliases`;

function list(field: string, jsonArray: unknown): string {
  return jsonArray === '[]' ? '' : `,"${field}":${String(jsonArray)}`;
}

function versionJson(row: Row, withAliases = true): string {
  return (
    `{"name":${JSON.stringify(row.name)},"version":"${row.version}","creation_timestamp":${row.created},"last_updated_timestamp":${row.updated},` +
    `"current_stage":"${row.stage}","description":${JSON.stringify(row.description)},"source":${JSON.stringify(row.source)},"run_id":"${row.run_id}",` +
    `"status":"READY","run_link":""${list('tags', row.tags)}${withAliases ? list('aliases', row.aliases) : ''}}`
  );
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function tagsOf(fields: Fields): { key: string; value: string }[] {
  return Array.isArray(fields.tags) ? fields.tags : [];
}

export class Registry {
  private readonly versionByNumber: StatementSync;
  private readonly versionByAlias: StatementSync;
  private readonly versionsByName: StatementSync;
  private readonly latestVersions: StatementSync;
  private readonly modelByName: StatementSync;
  private readonly modelsByTag: StatementSync;
  private readonly downloadUri: StatementSync;
  private readonly insertModel: StatementSync;
  private readonly insertModelTag: StatementSync;
  private readonly nextVersion: StatementSync;
  private readonly insertVersion: StatementSync;
  private readonly upsertVersionTag: StatementSync;
  private readonly upsertAlias: StatementSync;
  private readonly updateStage: StatementSync;
  private readonly touchModel: StatementSync;
  private readonly modelId: StatementSync;
  private readonly sealFiles: StatementSync;

  constructor(db: BareDatabase) {
    const ofName = 'FROM models m JOIN versions v ON v.model_id = m.id WHERE m.name = ?';
    this.versionByNumber = db.prepare(`SELECT ${versionColumns} ${ofName} AND v.version = ?`);
    this.versionByAlias = db.prepare(
      `SELECT ${versionColumns} FROM models m JOIN aliases x ON x.model_id = m.id AND x.alias = ?
       JOIN versions v ON v.model_id = m.id AND v.version = x.version WHERE m.name = ?`,
    );
    this.versionsByName = db.prepare(`SELECT ${versionColumns} ${ofName} ORDER BY v.updated DESC, v.version DESC LIMIT ?`);
    this.latestVersions = db.prepare(
      `SELECT ${versionColumns} FROM (VALUES ('None'), ('Staging'), ('Production'), ('Archived')) s
       JOIN models m ON m.id = ? JOIN versions v ON v.model_id = m.id
       AND v.version = (SELECT max(version) FROM versions w WHERE w.model_id = m.id AND w.stage = s.column1)`,
    );
    this.modelByName = db.prepare(`SELECT ${modelColumns} FROM models m WHERE m.name = ?`);
    this.modelsByTag = db.prepare(
      `SELECT ${modelColumns} FROM model_tags f JOIN models m ON m.id = f.model_id
       WHERE f.key = ? AND f.value = ? AND m.name LIKE ? ORDER BY m.name LIMIT ?`,
    );
    this.downloadUri = db.prepare(`SELECT v.download_uri ${ofName} AND v.version = ?`);
    this.insertModel = db.prepare('INSERT INTO models (name, description, created, updated) VALUES (?, ?, ?, ?) RETURNING id');
    this.insertModelTag = db.prepare('INSERT OR REPLACE INTO model_tags VALUES (?, ?, ?)');
    this.nextVersion = db.prepare(
      'UPDATE models SET version_last = version_last + 1, updated = ? WHERE name = ? RETURNING id, version_last AS version',
    );
    this.insertVersion = db.prepare(`INSERT INTO versions VALUES (?, ?, ?, ?, 'None', ?, ?, ?, ?)`);
    this.upsertVersionTag = db.prepare('INSERT OR REPLACE INTO version_tags VALUES (?, ?, ?, ?)');
    this.upsertAlias = db.prepare('INSERT OR REPLACE INTO aliases SELECT id, ?, ? FROM models WHERE name = ?');
    this.updateStage = db.prepare('UPDATE versions SET stage = ?, updated = ? WHERE model_id = ? AND version = ?');
    this.touchModel = db.prepare('UPDATE models SET updated = ? WHERE id = ?');
    this.modelId = db.prepare('SELECT id FROM models WHERE name = ?');
    this.sealFiles = db.prepare(
      `INSERT OR REPLACE INTO artifacts SELECT ? || substr(path, ?), digest, size, 1 FROM artifacts WHERE path > ? AND path < ?`,
    );
  }

  getVersion(fields: Fields): string | undefined {
    const row = this.versionByNumber.get(text(fields.name), Number(fields.version));
    return row && `{"model_version":${versionJson(row)}}`;
  }

  getAlias(fields: Fields): string | undefined {
    const row = this.versionByAlias.get(text(fields.alias), text(fields.name));
    return row && `{"model_version":${versionJson(row)}}`;
  }

  getDownloadUri(fields: Fields): string | undefined {
    const row = this.downloadUri.get(text(fields.name), Number(fields.version));
    return row && JSON.stringify({ artifact_uri: row.download_uri });
  }

  searchVersions(fields: Fields): string {
    const name = /^name='(.*)'$/.exec(text(fields.filter))?.[1] ?? '';
    const limit = Number(fields.max_results);
    const rows = this.versionsByName.all(name, limit + 1);
    const versions = rows.slice(0, limit).map((row) => versionJson(row));
    return `{"model_versions":[${versions.join(',')}]${rows.length > limit ? `,"next_page_token":"${btoa(`{"offset":${limit}}`)}"` : ''}}`;
  }

  getModel(fields: Fields): string | undefined {
    const row = this.modelByName.get(text(fields.name));
    return row && `{"registered_model":${this.modelJson(row)}}`;
  }

  searchModels(fields: Fields): string {
    const match = /^name LIKE '(.*)' AND tags\.(\w+) = '(.*)'$/.exec(text(fields.filter));
    const limit = Number(fields.max_results);
    const rows = this.modelsByTag.all(match?.[2] ?? '', match?.[3] ?? '', match?.[1] ?? '', limit + 1);
    const models = rows.slice(0, limit).map((row) => this.modelJson(row));
    return `{"registered_models":[${models.join(',')}]${rows.length > limit ? `,"next_page_token":"${btoa(`{"offset":${limit}}`)}"` : ''}}`;
  }

  createModel(fields: Fields): string {
    const now = Date.now();
    const row = this.insertModel.get(text(fields.name), text(fields.description), now, now);
    for (const tag of tagsOf(fields)) this.insertModelTag.run(Number(row?.id), tag.key, tag.value);
    return JSON.stringify({ registered_model: { name: fields.name, creation_timestamp: now, last_updated_timestamp: now } });
  }

  createVersion(fields: Fields): string | undefined {
    const now = Date.now();
    const name = text(fields.name);
    const source = text(fields.source);
    const row = this.nextVersion.get(now, name);
    if (row === undefined) return undefined;
    const [modelId, version] = [Number(row.id), Number(row.version)];
    const uri = source.startsWith('mlflow-artifacts:/') ? this.seal(source.slice('mlflow-artifacts:/'.length), name, version) : source;
    this.insertVersion.run(modelId, version, now, now, text(fields.description), source, uri, text(fields.run_id));
    for (const tag of tagsOf(fields)) this.upsertVersionTag.run(modelId, version, tag.key, tag.value);
    return this.getVersion({ name, version });
  }

  setAlias(fields: Fields): string {
    this.upsertAlias.run(text(fields.alias), Number(fields.version), text(fields.name));
    return '{}';
  }

  setVersionTag(fields: Fields): string | undefined {
    const row = this.versionByNumber.get(text(fields.name), Number(fields.version));
    const model = this.modelId.get(text(fields.name));
    if (row === undefined || model === undefined) return undefined;
    this.upsertVersionTag.run(Number(model.id), Number(fields.version), text(fields.key), text(fields.value));
    return '{}';
  }

  transition(fields: Fields): string | undefined {
    const now = Date.now();
    const model = this.modelId.get(text(fields.name));
    if (model === undefined) return undefined;
    this.updateStage.run(text(fields.stage), now, Number(model.id), Number(fields.version));
    this.touchModel.run(now, Number(model.id));
    return this.getVersion(fields);
  }

  private modelJson(row: Row): string {
    const versions = this.latestVersions.all(Number(row.id)).map((version) => versionJson(version, false));
    const description = row.description === '' ? '' : `,"description":${JSON.stringify(row.description)}`;
    return (
      `{"name":${JSON.stringify(row.name)},"creation_timestamp":${row.created},"last_updated_timestamp":${row.updated}${description}` +
      `,"latest_versions":[${versions.join(',')}]${list('tags', row.tags)}${list('aliases', row.aliases)}}`
    );
  }

  private seal(folder: string, name: string, version: number): string {
    const sealedFolder = `sealed/${name}/${version}`;
    this.sealFiles.run(sealedFolder, folder.length + 1, `${folder}/`, `${folder}0`);
    return `mlflow-artifacts:/${sealedFolder}`;
  }
}
