/** What a webhook may be: names, addresses, subscriptions, in upstream's words (mlflow/utils/validation.py, entities/webhook.py). */
import { invalid } from '@countersign/contract/problem.ts';

export type Entity =
  | 'registered_model'
  | 'model_version'
  | 'model_version_tag'
  | 'model_version_alias'
  | 'prompt'
  | 'prompt_version'
  | 'prompt_tag'
  | 'prompt_version_tag'
  | 'prompt_alias'
  | NativeEntity;
/** What upstream's clients have no words for. */
type NativeEntity = 'request' | 'break-glass' | 'check' | 'policy';
export type Action =
  | 'created'
  | 'set'
  | 'deleted'
  | 'opened'
  | 'approved'
  | 'applied'
  | 'rejected'
  | 'withdrawn'
  | 'expired'
  | 'superseded'
  | 'used'
  | 'reviewed'
  | 'reported'
  | 'published';

/** What a webhook is called for. */
export interface Subscription {
  readonly entity: Entity;
  readonly action: Action;
}

const NATIVE_ACTIONS: Readonly<Record<NativeEntity, readonly Action[]>> = {
  request: ['opened', 'approved', 'applied', 'rejected', 'withdrawn', 'expired', 'superseded'],
  'break-glass': ['opened', 'used', 'reviewed'],
  check: ['reported'],
  policy: ['published', 'withdrawn'],
};

/** Whether it is one that upstream's clients can't read: they give up on a whole list with such a word in it. */
export function isNative({ entity }: Subscription): boolean {
  return isNativeEntity(entity);
}

function isNativeEntity(entity: string): entity is NativeEntity {
  return Object.hasOwn(NATIVE_ACTIONS, entity);
}

const ACTIONS: Readonly<Record<Entity, readonly Action[]>> = {
  registered_model: ['created'],
  model_version: ['created'],
  model_version_tag: ['set', 'deleted'],
  model_version_alias: ['created', 'deleted'],
  prompt: ['created'],
  prompt_version: ['created'],
  prompt_tag: ['set', 'deleted'],
  prompt_version_tag: ['set', 'deleted'],
  prompt_alias: ['created', 'deleted'],
  ...NATIVE_ACTIONS,
};

/** In any case; answers them without repetition. */
export function checkSubscriptions(wanted: readonly { entity: string; action: string }[]): Subscription[] {
  if (wanted.length === 0) throw invalid('Webhook events must be a non-empty list of WebhookEvent objects: [].');
  const found = new Map<string, Subscription>();
  for (const each of wanted) {
    const subscription = checkSubscription(each);
    found.set(`${subscription.entity}.${subscription.action}`, subscription);
  }
  return [...found.values()];
}

export function checkSubscription(wanted: { entity: string; action: string }): Subscription {
  const [entity, action] = [wanted.entity.toLowerCase(), wanted.action.toLowerCase()];
  if (entity === 'budget_policy') {
    throw invalid("Budgets belong to MLflow's AI gateway, which is not served here: no event of 'budget_policy' would ever come.");
  }
  if (!Object.hasOwn(ACTIONS, entity)) {
    throw invalid(`Unknown webhook entity '${entity}'. It must be one of ${Object.keys(ACTIONS).join(', ')}.`);
  }
  const known = ACTIONS[entity as Entity]; // just asked
  if (!(known as readonly string[]).includes(action)) {
    throw invalid(`Invalid action '${action}' for entity '${entity}'. Valid actions are: [${known.map((each) => `'${each}'`).join(', ')}]`);
  }
  return { entity: entity as Entity, action: action as Action };
}

const NAME = /^(?=.{1,63}$)[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i;

export function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw invalid(
    `Webhook name ${quoted(name)} is invalid. It must start and end with a letter or digit, be less than 63 characters long, and contain only ` +
      'letters, digits, dots (.), underscores (_), and hyphens (-).',
  );
}

const TEXT_MAX = 1000;

export function checkText(what: 'description' | 'secret', text: string): void {
  if (text.length > TEXT_MAX) throw invalid(`Webhook ${what} must be at most ${TEXT_MAX} characters long, got ${text.length}.`);
}

const URL_MAX = 500;

/** The form of a URL; where its name leads to is asked elsewhere. */
export function checkUrl(url: string, schemes: readonly string[]): URL {
  if (url.trim() === '') throw invalid(`Webhook URL cannot be empty or just whitespace: ${quoted(url)}`);
  if (url.length > URL_MAX) throw invalid(`Webhook URL must be at most ${URL_MAX} characters long, got ${url.length}.`);
  const authority = /^(?:[a-z][a-z0-9+.-]*:)?\/\/([^/?#]*)/i.exec(url)?.[1];
  if (authority !== undefined && authority.includes('[') !== authority.includes(']')) {
    throw invalid(`Invalid webhook URL ${quoted(url)}: ValueError('Invalid IPv6 URL')`);
  }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? '';
  if (!schemes.includes(scheme)) {
    throw invalid(`Invalid webhook URL scheme: '${scheme}'. Allowed schemes are: ${schemes.join(', ')}.`);
  }
  if (authority === undefined || /^(?:.*@)?(?::\d*)?$/.test(authority))
    throw invalid(`Webhook URL must include a hostname: ${quoted(url)}`);
  if (!URL.canParse(url)) throw invalid(`Invalid webhook URL ${quoted(url)}: it can't be parsed.`);
  return new URL(url);
}

/** As Python's `repr` shows a string. */
export function quoted(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
  if (escaped.includes("'") && !escaped.includes('"')) return `"${escaped}"`;
  return `'${escaped.replaceAll("'", "\\'")}'`;
}

const LIST_DEFAULT = 100;
const LIST_MAX = 1000;

/** 0 is the default. */
export function checkListLimit(limit: number): number {
  if (limit < 0 || limit > LIST_MAX) throw invalid(`max_results must be between 1 and ${LIST_MAX}.`);
  return limit || LIST_DEFAULT;
}
