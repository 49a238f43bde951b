/** The native API without a request: for commands that have the data to themselves. Nobody is asked for a permission, as the context allows all. */
import type { AnswerOf, InputOf } from '@countersign/contract/endpoint.ts';
import { type EndpointId, type EndpointOf, endpoints } from '@countersign/contract/native-api.ts';
import { asking } from '../features/requests/requests.ts';
import type { Ctx } from '../platform/context.ts';
import { type ApiOptions, handlersWith } from './api-routes.ts';
import { checkInput, type RawInput } from './input.ts';

type AnyHandler<Answer> = (ctx: Ctx, input: RawInput, caller: { readonly address: string }) => Promise<Answer>;

/** Checks the input as a request's is. The answer is what the request would get. */
export async function callDirectly<Id extends EndpointId>(
  ctx: Ctx,
  options: ApiOptions,
  id: Id,
  input: Partial<InputOf<EndpointOf<Id>>>,
): Promise<AnswerOf<EndpointOf<Id>>> {
  const endpoint = endpoints.find((each) => each.id === id);
  if (endpoint === undefined) throw new TypeError(`there is no endpoint ${id}`);
  const raw = { params: {}, query: {}, body: {}, ...input } as RawInput; // `checkInput` holds it against the schemas
  await checkInput(endpoint, raw);
  const handle = handlersWith(options)[id] as unknown as AnyHandler<AnswerOf<EndpointOf<Id>>>; // of that very id, and the input is checked
  return asking(ctx, () => handle(ctx, raw, { address: '' }));
}
