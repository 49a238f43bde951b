/** Whether the server may start as it is: without accounts it is for this machine alone, and says so. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '@countersign/contract/problem.ts';
import type { Logger } from 'pino';
import * as accounts from './features/accounts/accounts.ts';
import { isLoopback, type ServerConfig } from './platform/config/server-config.ts';
import type { Ctx } from './platform/context.ts';
import { withoutPassword } from './platform/db/open.ts';

type Start = Pick<ServerConfig, 'host' | 'accounts' | 'dataDir' | 'database'>;

/** Before anything is touched: where there is no data, there are no accounts. INVALID_STATE. */
export function checkBeforeOpening(start: Start): void {
  if (start.database.kind === 'sqlite' && !existsSync(start.database.file) && start.accounts.firstAdmin === undefined)
    demandAccounts(start);
}

/** Makes the first administrator that the operator's variables name, if there are no accounts. Answers whether there are. INVALID_STATE. */
export async function settleAccounts(ctx: Ctx, start: Start, log: Pick<Logger, 'info'>): Promise<boolean> {
  if (await accounts.hasAccounts(ctx.db)) return true;
  const { firstAdmin } = start.accounts;
  if (firstAdmin === undefined) {
    demandAccounts(start);
    return false;
  }
  try {
    await accounts.createUser(ctx, { ...firstAdmin, isAdmin: true });
    log.info(`made the first administrator, '${firstAdmin.name}'`);
  } catch (error) {
    // Another replica may have made it meanwhile.
    if (!(error instanceof Problem) || error.code !== 'RESOURCE_ALREADY_EXISTS') throw error;
  }
  return true;
}

function demandAccounts(start: Start): void {
  const how = `Make the first administrator, and start again: ${commandFor(start)}`;
  if (start.accounts.demanded) {
    throw new Problem(
      'INVALID_STATE',
      `--app-name basic-auth demands accounts, and there are none yet. ${how} (or set COUNTERSIGN_ADMIN_USERNAME and COUNTERSIGN_ADMIN_PASSWORD for one start).`,
    );
  }
  if (isLoopback(start.host)) return;
  throw new Problem(
    'INVALID_STATE',
    `The server can't listen on '${start.host}': it has no accounts yet, so whoever reaches it could do everything. ${how} (without accounts, use --host 127.0.0.1).`,
  );
}

/** For the log of an open server, which has the data folder to itself. */
export function sentenceOnOpenness(url: string): string {
  return (
    `open: there are no accounts, so whoever reaches ${url} on this machine acts as the local administrator, whatever credentials are sent. ` +
    `To close it make the first administrator: countersign user create NAME --admin --server ${url}`
  );
}

function commandFor({ dataDir, database }: Start): string {
  const command = 'countersign user create NAME --admin';
  if (database.kind === 'postgres') return `${command} --database-url ${quoted(withoutPassword(database.url))}`;
  const elsewhere = database.file === join(dataDir, 'countersign.db') ? '' : ` --database-url ${quoted(`sqlite:///${database.file}`)}`;
  return `${command} --data-dir ${quoted(dataDir)}${elsewhere}`;
}

/** For a shell, where it needs that. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
