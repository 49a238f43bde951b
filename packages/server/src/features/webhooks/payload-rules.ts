/** Our events as upstream's webhooks say them (mlflow/webhooks/types.py). */
import { type Action, type Entity, isNative, type Subscription } from './webhook-rules.ts';

const PROMPT_TAG = 'mlflow.prompt.is_prompt';
const PROMPT_TYPE_TAG = '_mlflow_prompt_type';
const PROMPT_TEXT_TAG = 'mlflow.prompt.text';

export interface Payload extends Subscription {
  readonly data: Readonly<Record<string, unknown>>;
}

/** An event with what stands beside it: texts by field, the model, the version. */
export interface ToldEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly texts: ReadonlyMap<string, string>;
  readonly model: { readonly name: string; readonly isPrompt: boolean } | undefined;
  readonly versionNumber: number | undefined;
}

/** What an event of a type may be told as; other types need not be looked at. */
const TOLD_AS: Readonly<Record<string, { readonly entities: readonly Entity[]; readonly action: Action }>> = {
  'registered-model.created': { entities: ['registered_model', 'prompt'], action: 'created' },
  'registered-model.tag-set': { entities: ['prompt_tag'], action: 'set' },
  'registered-model.tag-deleted': { entities: ['prompt_tag'], action: 'deleted' },
  'model-version.created': { entities: ['model_version', 'prompt_version'], action: 'created' },
  'model-version.tag-set': { entities: ['model_version_tag', 'prompt_version_tag'], action: 'set' },
  'model-version.tag-deleted': { entities: ['model_version_tag', 'prompt_version_tag'], action: 'deleted' },
  'alias.set': { entities: ['model_version_alias', 'prompt_alias'], action: 'created' },
  'alias.deleted': { entities: ['model_version_alias', 'prompt_alias'], action: 'deleted' },
};

export function mayConcern(type: string, subscriptions: readonly Subscription[]): boolean {
  const told = Object.hasOwn(TOLD_AS, type) ? TOLD_AS[type] : undefined;
  if (told === undefined) return subscriptions.some((each) => isNative(each) && `${each.entity}.${each.action}` === type);
  return subscriptions.some((each) => each.action === told.action && told.entities.includes(each.entity));
}

/** Undefined: no webhook is called for it, or the model was purged and has no name any more. */
export function payloadOf(event: ToldEvent): Payload | undefined {
  if (event.type === 'registered-model.created') return modelCreated(event);
  const native = nativePayload(event);
  if (native !== undefined) return native;
  const { model, data, texts } = event;
  if (model === undefined) return undefined;
  const { name, isPrompt } = model;
  const version = String(data.number ?? event.versionNumber ?? '');
  const value = texts.get('value') ?? null;
  switch (event.type) {
    case 'model-version.created':
      return versionCreated(event, name, version);
    case 'registered-model.tag-set':
      return isPrompt ? { entity: 'prompt_tag', action: 'set', data: { name, key: data.key, value } } : undefined;
    case 'registered-model.tag-deleted':
      return isPrompt ? { entity: 'prompt_tag', action: 'deleted', data: { name, key: data.key } } : undefined;
    case 'model-version.tag-set':
      return {
        entity: isPrompt ? 'prompt_version_tag' : 'model_version_tag',
        action: 'set',
        data: { name, version, key: data.key, value },
      };
    case 'model-version.tag-deleted':
      return { entity: isPrompt ? 'prompt_version_tag' : 'model_version_tag', action: 'deleted', data: { name, version, key: data.key } };
    case 'alias.set':
      return { entity: isPrompt ? 'prompt_alias' : 'model_version_alias', action: 'created', data: { name, alias: data.alias, version } };
    case 'alias.deleted':
      return { entity: isPrompt ? 'prompt_alias' : 'model_version_alias', action: 'deleted', data: { name, alias: data.alias } };
    default:
      return undefined;
  }
}

/** Of governance: who is told looks the rest up, with an account that may see it. Nothing that a person has written. */
function nativePayload({ type, data, model, versionNumber }: ToldEvent): Payload | undefined {
  const [entity, action] = type.split('.') as [Entity, Action]; // asked next
  if (!isNative({ entity, action })) return undefined;
  const version = data.number ?? versionNumber;
  const about = { name: model?.name ?? null, version: version === undefined ? null : String(version) };
  switch (entity) {
    case 'request': {
      const id = data.request_id;
      const state = action === 'opened' || action === 'approved' ? 'open' : action === 'applied' ? 'approved' : action;
      return { entity, action, data: { ...about, request_id: id, target: data.target, state, link: `/api/v1/requests/${String(id)}` } };
    }
    case 'break-glass':
      return {
        entity,
        action,
        data: {
          ...about,
          opening_id: data.opening_id,
          policy: data.policy_name,
          target: data.subject ?? null,
          link: '/api/v1/break-glass',
        },
      };
    case 'check': {
      const { report_id, name: check, status, conclusion, digest, is_entitled } = data;
      return { entity, action, data: { ...about, report_id, check, status, conclusion, digest, is_entitled } };
    }
    case 'policy': {
      const { name: policy, hash } = data;
      return { entity, action, data: { policy, hash, mode: data.mode ?? null, link: `/api/v1/policies/${String(policy)}` } };
    }
    default:
      return undefined;
  }
}

function modelCreated({ data, texts }: ToldEvent): Payload {
  const keys = tagKeys(data);
  const isPrompt = keys.includes(PROMPT_TAG);
  const tags = tagsOf(keys, texts, isPrompt ? [PROMPT_TAG, PROMPT_TYPE_TAG] : []);
  return {
    entity: isPrompt ? 'prompt' : 'registered_model',
    action: 'created',
    data: { name: data.name, tags, description: texts.get('description') ?? '' },
  };
}

function versionCreated({ data, texts }: ToldEvent, name: string, version: string): Payload {
  const keys = tagKeys(data);
  const description = texts.get('description') ?? null;
  if (keys.includes(PROMPT_TAG)) {
    const template = texts.get(`tag:${PROMPT_TEXT_TAG}`) ?? null;
    const tags = tagsOf(keys, texts, [PROMPT_TAG, PROMPT_TYPE_TAG, PROMPT_TEXT_TAG]);
    return { entity: 'prompt_version', action: 'created', data: { name, version, template, tags, description } };
  }
  const tags = tagsOf(keys, texts, []);
  return {
    entity: 'model_version',
    action: 'created',
    data: { name, version, source: texts.get('source') ?? '', run_id: data.run_id || null, tags, description },
  };
}

function tagKeys(data: Readonly<Record<string, unknown>>): readonly string[] {
  return Array.isArray(data.tags) ? data.tags.map(String) : [];
}

/** Values that were erased are left out. */
function tagsOf(keys: readonly string[], texts: ReadonlyMap<string, string>, without: readonly string[]): Record<string, string> {
  const tags: [string, string][] = [];
  for (const key of keys) {
    const value = texts.get(`tag:${key}`);
    if (value !== undefined && !without.includes(key)) tags.push([key, value]);
  }
  return Object.fromEntries(tags);
}

/** What a test sends: upstream's own examples. */
export function exampleOf({ entity, action }: Subscription): Payload {
  const isPrompt = entity.startsWith('prompt');
  const name = isPrompt ? 'example_prompt' : 'example_model';
  const tags = { example_key: 'example_value' };
  const description = `An example ${{ registered_model: 'registered model', model_version: 'model version', prompt: 'prompt' }[entity as string] ?? 'prompt version'}`;
  const version = '1';
  const key = 'example_key';
  const value = action === 'set' ? { value: 'example_value' } : {};
  switch (entity) {
    case 'registered_model':
    case 'prompt':
      return { entity, action, data: { name, tags, description } };
    case 'model_version':
      return { entity, action, data: { name, version, source: 'models:/123', run_id: 'abcd1234abcd5678', tags, description } };
    case 'prompt_version':
      return { entity, action, data: { name, version, template: 'Hello {{name}}!', tags, description } };
    case 'model_version_tag':
    case 'prompt_version_tag':
      return { entity, action, data: { name, version, key, ...value } };
    case 'prompt_tag':
      return { entity, action, data: { name, key, ...value } };
    case 'model_version_alias':
    case 'prompt_alias':
      return { entity, action, data: { name, alias: 'example_alias', ...(action === 'created' ? { version } : {}) } };
    case 'request':
    case 'break-glass':
    case 'check':
    case 'policy':
      return nativeExample(`${entity}.${action}`);
  }
}

function nativeExample(type: string): Payload {
  const digest = '0'.repeat(64);
  const data = {
    ...{ number: 1, request_id: 1, target: 'stage:Production' },
    ...{ opening_id: 1, policy_name: 'example-policy', subject: 'stage:Production' },
    ...{
      report_id: 1,
      name: type.startsWith('policy') ? 'example-policy' : 'ci/tests',
      status: 'completed',
      conclusion: 'success',
      digest,
      is_entitled: true,
    },
    ...{ hash: digest, mode: 'enforce' },
  };
  const model = { name: 'example_model', isPrompt: false };
  const payload = nativePayload({ type, data, texts: new Map(), model, versionNumber: 1 });
  if (payload === undefined) throw new TypeError(`${type} is no event of governance`);
  return payload;
}
