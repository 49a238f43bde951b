/** `countersign keys list`, `countersign keys rotate` */
import type { KeyList, Rotated } from '@countersign/server/key-maintenance.ts';
import type { Command } from 'commander';
import { print, say } from './output.ts';
import { addSettings, DATA_OPTIONS, settingsInput } from './setting-options.ts';

const PLACE = 'With SQLite no server may have the data meanwhile; with PostgreSQL servers go on.';

export function addKeys(program: Command): void {
  const keys = program
    .command('keys')
    .summary('look after keys of encryption')
    .description('Commands for the keys under which secrets and encrypted artifacts are stored.');
  addList(keys);
  addRotate(keys);
}

function addList(keys: Command): void {
  const list = keys
    .command('list')
    .summary('list keys and what hangs on them')
    .description(`Lists master keys and workspaces' keys by their ids, with what is stored under each. A key is never shown. ${PLACE}`);
  addSettings(list, DATA_OPTIONS)
    .option('--json', 'one JSON document')
    .addHelpText('after', '\nExamples:\n  countersign keys list --data-dir ./registry')
    .action(async ({ json }: { json?: boolean }) => {
      const { listKeys, withData, config } = await load(list);
      const found = await withData(config, say, (ctx, masterKeys) => listKeys(ctx, masterKeys));
      print(json === true, documentOf(found), linesOf(found));
    });
}

function addRotate(keys: Command): void {
  const rotate = keys
    .command('rotate')
    .summary('bring everything under a new master key, or give a workspace a new key')
    .description(
      `Makes a new master key and brings all secrets and workspaces' keys under it; one that was cut off goes on when it is called again. ` +
        `The old key can be taken away afterwards. With --workspace: a new key for the workspace's new files. ${PLACE}`,
    );
  addSettings(rotate, DATA_OPTIONS)
    .option('--workspace <NAME>', 'rotate the key of this workspace instead of the master key')
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      `
Examples:
  countersign keys rotate --data-dir ./registry
  COUNTERSIGN_MASTER_KEY=NEW,OLD countersign keys rotate --database-url postgresql://countersign@db/countersign
  countersign keys rotate --workspace vision --data-dir ./registry`,
    )
    .action(async ({ json, workspace }: { json?: boolean; workspace?: string }) => {
      const { rotateMasterKey, rotateWorkspaceKey, withData, config } = await load(rotate);
      if (workspace !== undefined) {
        const id = await withData(config, say, (ctx, masterKeys) => rotateWorkspaceKey(ctx, masterKeys, workspace));
        print(json === true, { workspace, key_id: id }, [`New files of '${workspace}' are encrypted under the new key ${id}.`]);
        return;
      }
      const rotated = await withData(config, say, (ctx, masterKeys) => rotateMasterKey(ctx, masterKeys));
      print(json === true, rotationDocument(rotated), rotationLines(rotated));
    });
}

async function load(command: Command) {
  const { readServerConfig } = await import('@countersign/server/platform/config/server-config.ts');
  const config = await readServerConfig(settingsInput(command));
  const { withData } = await import('@countersign/server/maintenance.ts');
  const { listKeys, rotateMasterKey, rotateWorkspaceKey } = await import('@countersign/server/key-maintenance.ts');
  return { config, withData, listKeys, rotateMasterKey, rotateWorkspaceKey };
}

function documentOf({ masterKeys, workspaceKeys }: KeyList): object {
  return {
    master_keys: masterKeys.map((key) => ({
      id: key.id,
      current: key.isCurrent,
      present: key.isHere,
      secrets: key.secrets,
      workspace_keys: key.workspaceKeys,
    })),
    workspace_keys: workspaceKeys.map((key) => ({
      id: key.id,
      workspace: key.workspace,
      current: key.isCurrent,
      created_at: key.createdAt,
      blobs: key.blobs,
      master_key: key.masterKeyId,
    })),
  };
}

function linesOf({ masterKeys, workspaceKeys }: KeyList): string[] {
  if (masterKeys.length === 0) return ['There is no master key yet; it is made when something is to be encrypted.'];
  return [
    ...masterKeys.map((key) => {
      const state = key.isCurrent ? 'current' : key.isHere ? 'old' : 'MISSING';
      return `master key ${key.id}  ${state}: ${key.secrets} secrets, ${key.workspaceKeys} keys of workspaces`;
    }),
    ...workspaceKeys.map((key) => {
      const state = key.isCurrent ? 'current' : 'old';
      const since = new Date(key.createdAt).toISOString();
      return `workspace key ${key.id}  ${state}: '${key.workspace}', since ${since}, ${key.blobs} blobs, under ${key.masterKeyId}`;
    }),
  ];
}

function rotationDocument(rotated: Rotated): object {
  return {
    key_id: rotated.keyId,
    new: rotated.isNew,
    secrets: rotated.secrets,
    workspace_keys: rotated.workspaceKeys,
    unreadable: rotated.unreadable,
    unused: rotated.unused,
  };
}

function rotationLines(rotated: Rotated): string[] {
  return [
    `Everything is under the ${rotated.isNew ? 'new ' : ''}master key ${rotated.keyId}: ${rotated.secrets} secrets and ${rotated.workspaceKeys} keys of workspaces were moved.`,
    ...(rotated.unreadable > 0
      ? [`${rotated.unreadable} could not be read and were left: see 'countersign keys list' for the key that is missing.`]
      : []),
    ...(rotated.unused.length > 0
      ? [`Not needed for this data any more, only for older backups of it: ${rotated.unused.join(', ')}.`]
      : []),
  ];
}
