/** The native API: every endpoint of the contract mounted on its handler, and its documentation. */
import type { Endpoint } from '@countersign/contract/endpoint.ts';
import { endpoints } from '@countersign/contract/native-api.ts';
import type { TSchema } from 'typebox';
import type { Checkpoints } from '../features/checkpoints/checkpoints.ts';
import { asking } from '../features/requests/requests.ts';
import type { WebhookMeans } from '../features/webhooks/webhooks.ts';
import type { Gate } from '../gate/gate.ts';
import type { FileRoots } from '../platform/blobs/file-roots.ts';
import type { Ctx } from '../platform/context.ts';
import type { Reply, Route } from '../platform/http/exchange.ts';
import { accountHandlers } from './account-handlers.ts';
import { blockHandlers } from './block-handlers.ts';
import { breakGlassHandlers } from './break-glass-handlers.ts';
import { checkHandlers } from './check-handlers.ts';
import { checkpointHandlers } from './checkpoint-handlers.ts';
import { commentHandlers } from './comment-handlers.ts';
import { comparisonHandlers } from './comparison-handlers.ts';
import { documentationRoutes } from './documentation-routes.ts';
import { eventHandlers } from './event-handlers.ts';
import { evidenceHandlers } from './evidence-handlers.ts';
import { evidencePackHandlers } from './evidence-pack-handlers.ts';
import { grantHandlers } from './grant-handlers.ts';
import { groupHandlers } from './group-handlers.ts';
import type { CallerFacts, Handlers } from './handlers.ts';
import { inboxHandlers } from './inbox-handlers.ts';
import { type RawInput, readInput } from './input.ts';
import { lineageHandlers } from './lineage-handlers.ts';
import { modelHandlers } from './model-handlers.ts';
import { ciIdentityHandlers, namedPermissionHandlers } from './people-handlers.ts';
import { policyHandlers } from './policy-handlers.ts';
import { requestHandlers } from './request-handlers.ts';
import { settingsHandlers } from './settings-handlers.ts';
import { ciTrustHandlers, type IdentityMeans, signInHandlers } from './sign-in-handlers.ts';
import { tokenHandlers } from './token-handlers.ts';
import { transitionHandlers } from './transition-handlers.ts';
import { validatorOf } from './validators.ts';
import { versionHandlers } from './version-handlers.ts';
import { webhookHandlers } from './webhook-handlers.ts';
import { workspaceHandlers } from './workspace-handlers.ts';

/** What answers each endpoint. */
export const handlersWith = ({ fileRoots, identity, checkpoints, webhooks }: ApiOptions = {}): Handlers => ({
  ...modelHandlers,
  ...versionHandlers(fileRoots),
  ...transitionHandlers,
  ...requestHandlers,
  ...policyHandlers,
  ...commentHandlers,
  ...inboxHandlers,
  ...checkHandlers,
  ...blockHandlers,
  ...breakGlassHandlers,
  ...evidenceHandlers,
  ...comparisonHandlers,
  ...lineageHandlers,
  ...evidencePackHandlers(checkpoints),
  ...eventHandlers,
  ...checkpointHandlers(checkpoints),
  ...settingsHandlers,
  ...workspaceHandlers,
  ...accountHandlers,
  ...ciIdentityHandlers,
  ...groupHandlers,
  ...tokenHandlers,
  ...grantHandlers,
  ...namedPermissionHandlers,
  ...signInHandlers(identity),
  ...ciTrustHandlers(identity),
  ...webhookHandlers(webhooks),
});

export interface ApiOptions {
  /** Every answer is held against its schema, and the request fails where it differs. For tests. */
  readonly checkAnswers?: boolean;
  /** Folders from which versions may be sealed; none without it. */
  readonly fileRoots?: FileRoots;
  /** Without it no identity provider can be added. */
  readonly identity?: IdentityMeans;
  /** Without it no checkpoint is made. */
  readonly checkpoints?: Checkpoints | undefined;
  /** Without it no webhook can be made. */
  readonly webhooks?: WebhookMeans;
}

export function apiRoutes(gate: Gate, options: ApiOptions = {}): Route[] {
  const handlers = handlersWith(options);
  return [...endpoints.map((endpoint) => routeOf(endpoint, handlers, gate, options)), ...documentationRoutes()];
}

type AnyHandler = (ctx: Ctx, input: RawInput, caller: CallerFacts) => Promise<unknown>;

function routeOf(endpoint: Endpoint & { readonly id: keyof Handlers }, handlers: Handlers, gate: Gate, options: ApiOptions): Route {
  const handle = handlers[endpoint.id] as AnyHandler; // `readInput` has checked the input against the schemas that type it
  return {
    method: endpoint.method,
    path: endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    permission: endpoint.permission,
    handle: async (exchange): Promise<Reply> => {
      const ctx = await gate.admit(exchange, endpoint.permission);
      const input = await readInput(endpoint, exchange);
      await gate.authorize(ctx, endpoint.permission, input.params);
      const answer = await asking(ctx, () => handle(ctx, input, { address: exchange.req.socket.remoteAddress ?? '' }));
      if (answer instanceof Uint8Array) return fileReply(endpoint, input.params, answer);
      const body = JSON.stringify(answer);
      if (options.checkAnswers) await checkAnswer(endpoint.id, endpoint.output, body);
      const isAgain = endpoint.isRepeatable === true && (answer as { is_new?: boolean }).is_new === false; // as such an endpoint answers
      return { status: isAgain ? 200 : (endpoint.status ?? 200), body };
    },
  };
}

function fileReply({ media, fileName = '' }: Endpoint, params: RawInput['params'], bytes: Uint8Array): Reply {
  const name = fileName.replaceAll(/\{(\w+)\}/g, (_all, param: string) => String(params[param]).replaceAll(/[^A-Za-z0-9._-]+/g, '_'));
  return {
    ...(media === undefined ? {} : { type: media }),
    headers: { 'content-disposition': `attachment; filename="${name}"` },
    body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  };
}

async function checkAnswer(id: string, schema: TSchema, body: string): Promise<void> {
  const validator = await validatorOf(schema);
  const answer: unknown = JSON.parse(body);
  if (!validator.Check(answer))
    throw new TypeError(`${id} answered what its schema doesn't say: ${JSON.stringify(validator.Errors(answer))}`);
}
