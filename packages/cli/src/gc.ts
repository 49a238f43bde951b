/** `countersign gc` */
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { print, say } from './output.ts';
import { addSettings, DATA_OPTIONS, settingsInput } from './setting-options.ts';

export function addGc(program: Command): void {
  const gc = program
    .command('gc')
    .summary('free bytes that nothing refers to')
    .description(
      'Marks stored bytes that nothing refers to, and frees those marked longer ago than the grace time. A running server does this by itself.',
    );
  addSettings(gc, DATA_OPTIONS)
    .option('--grace-hours <HOURS>', 'how long marked bytes are kept; with 0 they are freed at once', '24')
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      `
Examples:
  countersign gc --data-dir ./registry
  countersign gc --data-dir ./registry --grace-hours 0 --json`,
    )
    .action(async ({ json, graceHours }: { json?: boolean; graceHours: string }) => {
      const hours = Number(graceHours);
      if (graceHours.trim() === '' || !(hours >= 0 && hours <= 8760))
        throw invalid(`--grace-hours must be a number from 0 to 8760, got '${graceHours}'.`);
      const { readServerConfig } = await import('@countersign/server/platform/config/server-config.ts');
      const config = await readServerConfig(settingsInput(gc));
      if (config.database.kind === 'postgres' && hours < 1)
        throw invalid('--grace-hours must be at least 1 with PostgreSQL: other servers may be uploading.');
      const { freeBytes, withData } = await import('@countersign/server/maintenance.ts');
      const freed = await withData(config, say, (ctx) => freeBytes(ctx, hours * 3_600_000));
      print(json === true, freed, [
        `Marked ${freed.marked} blobs, freed ${freed.removed} blobs and ${freed.trees} trees, removed ${freed.swept} temporary files.`,
      ]);
    });
}
