/** `countersign db upgrade` */
import type { Command } from 'commander';
import { print, say } from './output.ts';
import { addSettings, DATA_OPTIONS, settingsInput } from './setting-options.ts';

export function addDb(program: Command): void {
  const db = program
    .command('db')
    .summary('look after the database')
    .description('Commands for the database. They need it for themselves.');
  const upgrade = db
    .command('upgrade')
    .summary('run the migrations that are missing')
    .description('Brings the database up to date, as a start of the server does.');
  addSettings(upgrade, DATA_OPTIONS)
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      `
Examples:
  countersign db upgrade --data-dir ./registry
  countersign db upgrade --database-url postgresql://countersign@db/countersign --json`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const { readServerConfig } = await import('@countersign/server/platform/config/server-config.ts');
      const config = await readServerConfig(settingsInput(upgrade));
      const { upgradeDatabase } = await import('@countersign/server/ground.ts');
      const migrated = await upgradeDatabase(config, say);
      print(json === true, { migrated }, [migrated.length === 0 ? 'The database is up to date.' : `Migrated: ${migrated.join(', ')}.`]);
    });
}
