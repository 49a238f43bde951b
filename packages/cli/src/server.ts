/** `countersign server [start]` */
import { Argument, type Command } from 'commander';
import { addSettings, settingsInput } from './setting-options.ts';

export function addServer(program: Command): void {
  const server = program
    .command('server')
    .summary('serve the tracking server and model registry')
    .description("Serves MLflow's wire and the native API. Takes the flags and MLFLOW_* variables of `mlflow server`.")
    .addArgument(new Argument('[verb]', 'start').choices(['start']).default('start'))
    // -h is the host, as in MLflow; without a value it is help.
    .helpOption('--help', 'display help for command');
  addSettings(server)
    .addHelpText(
      'after',
      `
Flags win over variables, variables over countersign.yaml (keys are the flags' names), the file over defaults.
Other flags of \`mlflow server\` are taken too: the log says which are ignored and why; what can't be honoured is refused.

Examples:
  countersign server --port 5001 --data-dir ./registry
  countersign server --database-url postgresql://countersign@db/countersign --blob-store /srv/blobs`,
    )
    .action(async () => {
      const { readServerConfig } = await import('@countersign/server/platform/config/server-config.ts');
      const config = await readServerConfig(settingsInput(server));
      const { runServer } = await import('@countersign/server/main.ts');
      await runServer(config);
    });
}

/** `server -h` with nothing, or a flag, behind it asks for help. */
export function helpForBareH(argv: readonly string[]): string[] {
  if (!argv.includes('server')) return [...argv];
  return argv.map((each, i) => (each === '-h' && (argv[i + 1] ?? '-').startsWith('-') ? '--help' : each));
}
