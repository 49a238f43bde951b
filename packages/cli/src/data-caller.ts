/** The data folder or the database itself, while no server has it to itself. What is done is done by the local administrator. */
import { existsSync } from 'node:fs';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import { callDirectly } from '@countersign/server/api/direct-call.ts';
import { setGovernor } from '@countersign/server/features/accounts/accounts.ts';
import { openCheckpoints } from '@countersign/server/features/checkpoints/checkpoints.ts';
import { governSetting, keepDeciders } from '@countersign/server/features/transitions/transitions.ts';
import { findWorkspace } from '@countersign/server/features/workspaces/workspaces.ts';
import { upgradeDatabase } from '@countersign/server/ground.ts';
import { withData } from '@countersign/server/maintenance.ts';
import type { ServerConfig } from '@countersign/server/platform/config/server-config.ts';
import { type Ctx, systemClock } from '@countersign/server/platform/context.ts';
import { createSecretBox } from '@countersign/server/platform/secrets/secret-box.ts';
import { openSigningKeys } from '@countersign/server/platform/secrets/signing-keys.ts';
import type { Caller } from './caller.ts';
import { say } from './output.ts';

export interface DataUse {
  readonly workspace: string | undefined;
  /** Where there is no database yet, makes one. */
  readonly makesData: boolean;
}

/** RESOURCE_CONFLICT where a running server has the data, with how to ask that one. */
export async function withDataCaller(config: ServerConfig, use: DataUse, work: (caller: Caller) => Promise<void>): Promise<void> {
  const { database } = config;
  let isOpen = false;
  try {
    if (use.makesData && database.kind === 'sqlite' && !existsSync(database.file)) await upgradeDatabase(config, say);
    await withData(config, say, async (ctx, masterKeys) => {
      isOpen = true;
      const inside = use.workspace === undefined ? ctx : await enter(ctx, use.workspace);
      // What is governed leaves its mark on the host too.
      setGovernor(ctx.db, governSetting, keepDeciders);
      await masterKeys.refresh();
      const secrets = createSecretBox(masterKeys, systemClock.randomBytes);
      const checkpoints = openCheckpoints({ secrets, givenKeys: openSigningKeys(config.checkpointKeys) });
      const identity = {
        secrets,
        publicUrl: config.publicUrl,
        onRefusal: () => {},
      };
      await work({ ask: (id, input = {}) => callDirectly(inside, { identity, checkpoints }, id, input) });
    });
  } catch (error) {
    if (isOpen || !(error instanceof Problem) || error.code !== 'RESOURCE_CONFLICT') throw error;
    throw new Problem(
      error.code,
      `The data folder ${config.dataDir} is in use by a running server. Ask that one: --server http://HOST:PORT, as its log names it, ` +
        "with an administrator's token in COUNTERSIGN_TOKEN where it has accounts.",
    );
  }
}

async function enter(ctx: Ctx, name: string): Promise<Ctx> {
  const workspace = await findWorkspace(ctx.db, name);
  if (workspace === undefined) throw notFound(`Workspace '${name}' not found`);
  return { ...ctx, workspace };
}
