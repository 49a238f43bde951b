/** How somebody asks for a change that he was refused: by a command, or by a call. Pure. */

/** What is asked for, as the door describes it. */
export interface AskedChange {
  readonly op: string;
  readonly name?: string;
  readonly version?: number | null;
  readonly stage?: string;
  readonly archiveExisting?: boolean;
  readonly alias?: string;
  readonly key?: string;
  readonly value?: string | null;
  readonly newName?: string;
}

/** Of what would be registered. */
export interface AskedSource {
  readonly source: string;
  readonly runId: string;
  readonly loggedModelId: string | undefined;
  readonly description: string | undefined;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
}

/** Of the native API. */
export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** null: it takes none. */
  readonly body: object | null;
}

export interface WayToAsk {
  /** One sentence, with the command and the path. */
  readonly text: string;
  /** The request that is open for it. */
  readonly requestId: number | undefined;
  /** undefined: too long for a line. */
  readonly command: string | undefined;
  readonly call: Call;
}

/** What is open is looked at instead of asked for again. */
export function wayToOpen(requestId: number): WayToAsk {
  const path = `/api/v1/requests/${requestId}`;
  return {
    text: `Request ${requestId} is open for it: GET ${path}.`,
    requestId,
    command: `countersign request show ${requestId}`,
    call: { method: 'GET', path, body: null },
  };
}

/** undefined where nobody asks for it so. `source`: of what would be registered. */
export function wayToAsk(change: AskedChange, source?: AskedSource): WayToAsk | undefined {
  const { name, version } = change;
  const words = wordsFor(change, source);
  if (name === undefined || words === undefined) return undefined;
  const isOfVersion = typeof version === 'number';
  const of = `/api/v1/models/${encodeURIComponent(name)}`;
  const path = `${of}${isOfVersion ? `/versions/${version}` : ''}/requests`;
  const line = ['countersign request create', quoted(isOfVersion ? `${name}/${version}` : name), ...words.flags].join(' ');
  const command = line.length > COMMAND_MAX || /[\r\n]/.test(line) ? undefined : line;
  return {
    text: command === undefined ? `Ask for it: POST ${path}.` : `Ask for it: ${command} (by the API: POST ${path})`,
    requestId: undefined,
    command,
    call: { method: 'POST', path, body: words.body },
  };
}

const COMMAND_MAX = 1000;

interface Words {
  readonly flags: readonly string[];
  readonly body: object;
}

function wordsFor(change: AskedChange, source: AskedSource | undefined): Words | undefined {
  const { stage = '', alias = '', newName = '' } = change;
  switch (change.op) {
    case 'stage': {
      const target = { kind: 'stage', stage };
      return change.archiveExisting === true
        ? { flags: ['--stage', quoted(stage), '--archive-existing'], body: { target, archive_existing: true } }
        : { flags: ['--stage', quoted(stage)], body: { target } };
    }
    case 'alias':
      return { flags: ['--alias', quoted(alias)], body: { target: { kind: 'alias', alias } } };
    case 'alias-removal':
      return { flags: ['--alias', quoted(alias), '--remove'], body: { target: { kind: 'alias', alias }, change: 'leave' } };
    case 'tag':
      return tagWords(change);
    case 'registration':
      return source === undefined ? undefined : entryWords(source);
    case 'deletion':
      return { flags: ['--delete'], body: { target: { kind: 'entry' }, change: 'leave' } };
    case 'restoration':
      return { flags: ['--restore'], body: { target: { kind: 'entry' } } };
    case 'rename':
      return { flags: ['--rename', quoted(newName)], body: { target: { kind: 'rename', new_name: newName } } };
    default:
      return undefined;
  }
}

function tagWords({ key = '', value }: AskedChange): Words {
  if (value === null) return { flags: ['--tag', quoted(key), '--remove'], body: { target: { kind: 'tag', key }, change: 'leave' } };
  return { flags: ['--tag', quoted(`${key}=${value}`)], body: { target: { kind: 'tag', key, value } } };
}

function entryWords({ source, runId, loggedModelId = '', description = '', tags }: AskedSource): Words {
  const given = (name: string, value: string): readonly string[] => (value === '' ? [] : [name, quoted(value)]);
  return {
    flags: [
      '--entry',
      quoted(source),
      ...given('--run-id', runId),
      ...given('--logged-model-id', loggedModelId),
      ...given('--description', description),
      ...tags.flatMap(({ key, value }) => ['--version-tag', quoted(`${key}=${value}`)]),
    ],
    body: {
      target: { kind: 'entry' },
      source,
      ...(runId === '' ? {} : { run_id: runId }),
      ...(loggedModelId === '' ? {} : { logged_model_id: loggedModelId }),
      ...(description === '' ? {} : { description }),
      ...(tags.length === 0 ? {} : { tags }),
    },
  };
}

/** As a POSIX shell reads it as one word. */
function quoted(word: string): string {
  return /^[\w./:@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
