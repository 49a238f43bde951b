// The bench's command line: what to measure, on which servers, for how long.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from './project-paths.ts';

export type ServerFamily = 'countersign' | 'bare' | 'mlflow';

export type BenchOptions = {
  readonly servers: readonly ServerFamily[];
  /** Names, or parts of names, of the workloads to run; empty means all. */
  readonly only: readonly string[];
  readonly secondsPerMeasurement: number;
  /** The program that is started as Countersign. */
  readonly countersignProgram: string;
  readonly isQuick: boolean;
  readonly isScale: boolean;
  readonly isAccess: boolean;
  readonly isEncryption: boolean;
  readonly isGoverned: boolean;
};

export const usage = `npm run bench -- [options]

  --quick              short: 1 s a measurement, less data, MLflow at its leanest setting only
  --only NAME,...      only the workloads whose name contains one of these
  --servers NAME,...   any of countersign, bare, mlflow (default: all three)
  --seconds N          length of one measurement (default 3; 1 with --quick)
  --countersign FILE   the shell program to start as Countersign, say another checkout's (default: this one's bin/countersign)
  --access             what signing in and permissions cost, at 100,000 grants
  --encryption         files encrypted at rest beside files in clear
  --governed           what policies, checks and approvals cost; and two servers on one PostgreSQL
  --scale              compare small with large data instead (Countersign only, or the first of --servers)
`;

const families: readonly ServerFamily[] = ['countersign', 'bare', 'mlflow'];

function isFamily(name: string): name is ServerFamily {
  return (families as readonly string[]).includes(name);
}

function commaSeparated(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** Reads the command line; undefined means that help was asked for. Throws on an unknown option, server or number. */
export function readOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      scale: { type: 'boolean', default: false },
      access: { type: 'boolean', default: false },
      encryption: { type: 'boolean', default: false },
      governed: { type: 'boolean', default: false },
      only: { type: 'string' },
      servers: { type: 'string' },
      seconds: { type: 'string' },
      countersign: { type: 'string', default: join(projectRoot, 'bin/countersign') },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const named = commaSeparated(values.servers);
  const unknown = named.find((name) => !isFamily(name));
  if (unknown !== undefined) throw new Error(`--servers: "${unknown}" is not known; use ${families.join(', ')}`);
  const seconds = Number(values.seconds ?? (values.quick ? 1 : 3));
  if (!(seconds > 0 && seconds <= 600)) throw new Error(`--seconds: "${values.seconds}" is not a number between 0 and 600`);
  const chosen = named.filter(isFamily);
  return {
    servers: chosen.length > 0 ? chosen : values.scale ? ['countersign'] : families,
    only: commaSeparated(values.only),
    secondsPerMeasurement: seconds,
    countersignProgram: resolve(values.countersign),
    isQuick: values.quick,
    isScale: values.scale,
    isAccess: values.access,
    isEncryption: values.encryption,
    isGoverned: values.governed,
  };
}
