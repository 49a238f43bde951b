/** Grants on experiments and registered models as 2.x asks for them: gone upstream since 3.17, and what scripts of 2.22's client still call. */
import * as messages from '@countersign/contract/mlflow/auth-messages.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { notFound } from '@countersign/contract/problem.ts';
import * as access from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import type { Ctx } from '../platform/context.ts';
import { denied } from './auth-callers.ts';
import { findPlace, getPlace, mayManage } from './auth-grants.ts';
import { readOldLevel, showOldLevel } from './auth-resources.ts';
import { done } from './model-rpcs.ts';
import { type Rpc, rpc } from './rpc.ts';

interface Named {
  readonly type: 'experiment' | 'registered_model';
  /** The experiment's id or the model's name. */
  readonly pattern: string;
  readonly username: string;
}

interface Found extends Named {
  readonly account: accounts.Account;
  readonly key: access.GrantKey;
}

/** One experiment or model, never all that begin so: 2.x has no patterns. By whoever manages it. */
async function find(ctx: Ctx, named: Named): Promise<Found> {
  const { type, pattern } = named;
  const place = await findPlace(ctx, type, pattern);
  if (!(await mayManage(ctx, place))) {
    throw denied(ctx, `whoever has MANAGE on the ${type.replace('_', ' ')} '${clip(pattern)}', or an administrator of the workspace,`);
  }
  const account = await accounts.getByName(ctx, named.username);
  const { kind, objectId, prefix } = await getPlace(ctx, type, pattern);
  return {
    ...named,
    account,
    key: { workspaceId: ctx.workspace.id, subjectKind: 'principal', subjectId: account.id, kind, objectId, prefix },
  };
}

async function getGrant(ctx: Ctx, { key, type, pattern, username }: Found): Promise<access.Grant> {
  const grant = await access.findGrant(ctx, key);
  if (grant) return grant;
  if (type === 'experiment') {
    throw notFound(`Experiment permission with experiment_id=${clip(pattern)} and username=${clip(username)} not found`);
  }
  throw notFound(`Registered model permission with name=${clip(pattern)} and username=${clip(username)} not found`);
}

function toWire({ type, pattern, account }: Found, grant: access.Grant): object {
  const facts = { user_id: account.id, permission: showOldLevel(grant.level) };
  return type === 'experiment'
    ? { experiment_permission: { experiment_id: pattern, ...facts } }
    : { registered_model_permission: { name: pattern, ...facts } };
}

async function create(ctx: Ctx, named: Named, permission: string): Promise<object> {
  const found = await find(ctx, named);
  const { type, pattern, username } = named;
  const taken =
    type === 'experiment'
      ? `Experiment permission (experiment_id=${clip(pattern)}, username=${clip(username)}) already exists.`
      : `Registered model permission (name=${clip(pattern)}, username=${clip(username)}) already exists.`;
  return toWire(found, await access.addGrant(ctx, found.key, readOldLevel(permission), `${taken} Update it instead.`));
}

async function get(ctx: Ctx, named: Named): Promise<object> {
  const found = await find(ctx, named);
  return toWire(found, await getGrant(ctx, found));
}

async function update(ctx: Ctx, named: Named, permission: string): Promise<object> {
  const found = await find(ctx, named);
  const level = readOldLevel(permission);
  await getGrant(ctx, found);
  return done(access.setGrant(ctx, found.key, level));
}

async function remove(ctx: Ctx, named: Named): Promise<object> {
  return done(access.removeGrant(ctx, await getGrant(ctx, await find(ctx, named))));
}

function ofExperiment({ experiment_id, username }: { experiment_id: string; username: string }): Named {
  return { type: 'experiment', pattern: experiment_id, username };
}

function ofModel({ name, username }: { name: string; username: string }): Named {
  return { type: 'registered_model', pattern: name, username };
}

const OF_EXPERIMENT = '/mlflow/experiments/permissions';
const OF_MODEL = '/mlflow/registered-models/permissions';

export const authOldPermissionRpcs: readonly Rpc[] = [
  rpc('POST', `${OF_EXPERIMENT}/create`, 'access.manage', messages.SetExperimentPermission, (ctx, input) =>
    create(ctx, ofExperiment(input), input.permission),
  ),
  rpc('GET', `${OF_EXPERIMENT}/get`, 'access.read', messages.ExperimentPermission, (ctx, input) => get(ctx, ofExperiment(input))),
  rpc('PATCH', `${OF_EXPERIMENT}/update`, 'access.manage', messages.SetExperimentPermission, (ctx, input) =>
    update(ctx, ofExperiment(input), input.permission),
  ),
  rpc('DELETE', `${OF_EXPERIMENT}/delete`, 'access.manage', messages.ExperimentPermission, (ctx, input) =>
    remove(ctx, ofExperiment(input)),
  ),
  rpc('POST', `${OF_MODEL}/create`, 'access.manage', messages.SetModelPermission, (ctx, input) =>
    create(ctx, ofModel(input), input.permission),
  ),
  rpc('GET', `${OF_MODEL}/get`, 'access.read', messages.ModelPermission, (ctx, input) => get(ctx, ofModel(input))),
  rpc('PATCH', `${OF_MODEL}/update`, 'access.manage', messages.SetModelPermission, (ctx, input) =>
    update(ctx, ofModel(input), input.permission),
  ),
  rpc('DELETE', `${OF_MODEL}/delete`, 'access.manage', messages.ModelPermission, (ctx, input) => remove(ctx, ofModel(input))),
];
