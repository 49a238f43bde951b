/** What params, tags, batches and datasets of a run may be. Pure. */
import { checkKey, checkLength } from '@countersign/contract/names.ts';
import { invalid } from '@countersign/contract/problem.ts';

export const RUN_NAME_TAG = 'mlflow.runName';

const KEY_MAX = 250;
const PARAM_VALUE_MAX = 6000;
const TAG_VALUE_MAX = 8000;
const RUN_ID = /^[a-zA-Z0-9][\p{L}\p{N}_-]{0,255}$/u;

interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** What becomes of a value that is too long: cut, as upstream does by default, or refused. */
export type LongValues = 'truncate' | 'refuse';

/** Upstream looks at the form of a run id in batches only; elsewhere an odd one is just not found. */
export function checkRunId(runId: string): void {
  if (!RUN_ID.test(runId)) throw invalid(`Invalid value "${runId.slice(0, 200)}" for parameter 'run_id' supplied.`);
}

/** The param as it is stored. `path` is how the request calls it: empty, or `params[0]`. */
export function checkedParam(param: KeyValue, path: string, longValues: LongValues): KeyValue {
  checkKey(param.key, path === '' ? 'key' : `${path}.key`);
  checkLength(param.key, KEY_MAX, 'Param key');
  return { key: param.key, value: fitted(param.value, PARAM_VALUE_MAX, 'Param value', longValues) };
}

/** The tag as it is stored. `path` is how the request calls it: empty, or `tags[0]`. */
export function checkedTag(tag: KeyValue, path: string, longValues: LongValues): KeyValue {
  const prefix = path === '' ? '' : `${path}.`;
  checkKey(tag.key, `${prefix}key`);
  checkLength(tag.key, KEY_MAX, `${prefix}key`);
  return { key: tag.key, value: fitted(tag.value, TAG_VALUE_MAX, `${prefix}value`, longValues) };
}

function fitted(value: string, max: number, parameter: string, longValues: LongValues): string {
  if (value.length <= max) return value;
  if (longValues === 'refuse') {
    checkLength(value, max, parameter);
    return value;
  }
  const points = [...value];
  return points.length <= max ? value : points.slice(0, max).join('');
}

const BATCH_LIMITS = { metrics: 1000, params: 100, tags: 100, 'metrics, params, and tags': 1000 } as const;

export function checkBatchSize(metrics: number, params: number, tags: number): void {
  const counts = { metrics, params, tags, 'metrics, params, and tags': metrics + params + tags };
  for (const [what, limit] of Object.entries(BATCH_LIMITS)) {
    const count = counts[what as keyof typeof counts]; // the same keys in both
    if (count > limit) {
      throw invalid(
        `A batch logging request can contain at most ${limit} ${what}. Got ${count} ${what}. Please split up ${what} across multiple requests and try again.`,
      );
    }
  }
}

/** Even equal values are refused: two writers of one request disagree about who sets a param. */
export function checkUniqueKeys(params: readonly KeyValue[]): void {
  const seen = new Set<string>();
  const repeated: string[] = [];
  for (const { key } of params) {
    if (seen.has(key)) repeated.push(key);
    seen.add(key);
  }
  if (repeated.length > 0) {
    throw invalid(
      `Duplicate parameter keys have been submitted: [${repeated.map(quoted).join(', ')}]. Please ensure the request contains only one param value per param key.`,
    );
  }
}

/** Last write wins. */
export function lastWins(tags: readonly KeyValue[]): KeyValue[] {
  return [...new Map(tags.map((tag) => [tag.key, tag])).values()];
}

/** Throws INVALID_PARAMETER_VALUE where name and tag disagree. Undefined: the caller makes one up. */
export function nameOf(runName: string | undefined, tags: readonly KeyValue[]): string | undefined {
  const tagged = tags.find((tag) => tag.key === RUN_NAME_TAG)?.value;
  if (runName && tagged && runName !== tagged) {
    throw invalid(
      "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values " +
        `(run_name='${runName}', mlflow.runName='${tagged}').`,
    );
  }
  return runName || tagged || undefined;
}

export interface ParamConflict {
  readonly key: string;
  readonly oldValue: string;
  readonly newValue: string;
}

/** The sentences that upstream's clients look for, in the list's own notation. */
export function conflictMessage(runId: string, conflicts: readonly ParamConflict[], isBatch: boolean): string {
  const [first] = conflicts;
  if (!isBatch && first) {
    return (
      `Changing param values is not allowed. Param with key='${first.key}' was already logged with value='${first.oldValue}' for run ID='${runId}'. ` +
      `Attempted logging new value '${first.newValue}'.`
    );
  }
  const list = conflicts.map(
    ({ key, oldValue, newValue }) => `{'key': ${quoted(key)}, 'old_value': ${quoted(oldValue)}, 'new_value': ${quoted(newValue)}}`,
  );
  return `Changing param values is not allowed. Params were already logged='[${list.join(', ')}]' for run ID='${runId}'.`;
}

function quoted(text: string): string {
  return text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text.replaceAll("'", "\\'")}'`;
}

export interface NewDataset {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema: string | undefined;
  readonly profile: string | undefined;
  readonly tags: readonly KeyValue[];
}

const DATASET_LIMITS = { name: 500, digest: 36, source: 65_535, schema: 1_048_575, profile: 16_777_215 } as const;
const INPUT_TAG_KEY_MAX = 255;
const INPUT_TAG_VALUE_MAX = 500;

export function checkDataset(dataset: NewDataset): void {
  for (const [field, limit] of Object.entries(DATASET_LIMITS)) {
    checkLength(dataset[field as keyof typeof DATASET_LIMITS] ?? '', limit, field); // the keys are written above
  }
  for (const tag of dataset.tags) {
    checkLength(tag.key, INPUT_TAG_KEY_MAX, 'key');
    checkLength(tag.value, INPUT_TAG_VALUE_MAX, 'value');
  }
}

/** The first of those with the same name and digest counts. */
export function distinctDatasets(datasets: readonly NewDataset[]): NewDataset[] {
  const byIdentity = new Map<string, NewDataset>();
  for (const dataset of datasets) {
    const identity = JSON.stringify([dataset.name, dataset.digest]);
    if (!byIdentity.has(identity)) byIdentity.set(identity, dataset);
  }
  return [...byIdentity.values()];
}
