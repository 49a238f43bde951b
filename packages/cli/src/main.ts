/** The command line: nouns, then verbs. A noun's file is small; what it does is loaded when it is asked for. */

import { MLFLOW_VERSION } from '@countersign/server/mlflow/server-routes.ts';
import { nearest } from '@countersign/server/platform/config/nearest.ts';
import { Command, CommanderError } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { addAudit } from './audit.ts';
import { addBlock } from './block.ts';
import { addBreakGlass } from './break-glass.ts';
import { addCheck } from './check.ts';
import { addCiTrust } from './ci-trust.ts';
import { addDb } from './db.ts';
import { addEvidence } from './evidence.ts';
import { EXIT } from './exit-codes.ts';
import { addExplain } from './explain.ts';
import { addGc } from './gc.ts';
import { addGrant } from './grant.ts';
import { addGroup } from './group.ts';
import { addInbox } from './inbox.ts';
import { addKeys } from './keys.ts';
import { addModel } from './model.ts';
import { fail, say } from './output.ts';
import { addPermission } from './permission.ts';
import { addPolicy } from './policy.ts';
import { withoutPasswords } from './process-title.ts';
import { addProvider } from './provider.ts';
import { addRequest } from './request.ts';
import { addServer, helpForBareH } from './server.ts';
import { addServiceAccount } from './service-account.ts';
import { addToken } from './token.ts';
import { addUser } from './user.ts';
import { addVersion } from './version.ts';
import { addWebhook } from './webhook.ts';
import { addWhoami } from './whoami.ts';
import { addWorkspace } from './workspace.ts';

/** In the order of the help. */
const NOUNS: Readonly<Record<string, (program: Command) => void>> = {
  server: addServer,
  db: addDb,
  model: addModel,
  version: addVersion,
  check: addCheck,
  request: addRequest,
  policy: addPolicy,
  explain: addExplain,
  gc: addGc,
  keys: addKeys,
  user: addUser,
  'service-account': addServiceAccount,
  group: addGroup,
  token: addToken,
  grant: addGrant,
  permission: addPermission,
  workspace: addWorkspace,
  provider: addProvider,
  'ci-trust': addCiTrust,
  block: addBlock,
  'break-glass': addBreakGlass,
  evidence: addEvidence,
  audit: addAudit,
  webhook: addWebhook,
  inbox: addInbox,
  whoami: addWhoami,
};

/** `first`: the word behind the program's name. */
function createProgram(first: string): Command {
  const program = new Command('countersign')
    .description('A tracking server and model registry that speaks the wire of MLflow.')
    .version(`countersign ${packageJson.version} (wire of MLflow ${MLFLOW_VERSION})`, '--version', 'print the version')
    .exitOverride()
    .configureHelp({ sortSubcommands: false })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'countersign: ')) })
    .addHelpText(
      'after',
      `
Examples:
  countersign user create ada --admin --data-dir ./registry
  countersign server --port 5001 --data-dir ./registry
  countersign grant set READ --group risk --all-models --server https://registry.example
  countersign model purge SampleModel --confirm SampleModel

Exit codes: 0 ok, 1 unexpected, 2 usage, 3 forbidden, 4 not found, 5 conflict or state, 6 check failed, 7 unreachable, 130 interrupted.`,
    );
  // A command doesn't wait for the flags of all others.
  const asked = Object.hasOwn(NOUNS, first) ? [first] : Object.keys(NOUNS);
  for (const noun of asked) NOUNS[noun]?.(program);
  return program;
}

/** `purge model` for `model purge`, and words that are nearly a noun. */
function refuseUnknown(program: Command, argv: readonly string[]): void {
  const [first, second] = argv;
  if (first === undefined || first.startsWith('-') || first === 'help') return;
  const nouns = program.commands;
  if (nouns.some((noun) => noun.name() === first)) return;
  const swapped = nouns.find((noun) => noun.name() === second && noun.commands.some((verb) => verb.name() === first));
  const owner = nouns.find((noun) => noun.commands.some((verb) => verb.name() === first));
  const near = nearest(
    first,
    nouns.map((noun) => noun.name()),
  );
  const guess = swapped || owner ? `${(swapped ?? owner)?.name()} ${first}` : near;
  say(`countersign: there is no command '${first}'.${guess ? ` Did you mean 'countersign ${guess}'?` : ' See countersign --help.'}`);
  process.exit(EXIT.usage);
}

async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', (error: Error & { code?: string }) => {
    // Whoever read the output has seen enough (`| head`).
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
  });
  const program = createProgram(argv[0] ?? '');
  refuseUnknown(program, argv);
  try {
    await program.parseAsync(helpForBareH(argv), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
    fail(error, argv.includes('--json'));
  }
}

// Whoever lists this machine's processes sees no password that was given in a URL.
const shown = withoutPasswords(process.argv);
if (shown !== undefined) process.title = shown;
await main(process.argv.slice(2));
