/** What answers the endpoints: one function each, typed by the contract. */
import type { AnswerOf, InputOf } from '@countersign/contract/endpoint.ts';
import type { EndpointId, EndpointOf } from '@countersign/contract/native-api.ts';
import type { Ctx } from '../platform/context.ts';

/** Of the request, for what is limited by where it comes from. */
export interface CallerFacts {
  readonly address: string;
}

/** An endpoint without a handler, or one that answers something else, doesn't compile. */
export type Handlers<Ids extends EndpointId = EndpointId> = {
  readonly [Id in Ids]: (ctx: Ctx, input: InputOf<EndpointOf<Id>>, caller: CallerFacts) => Promise<AnswerOf<EndpointOf<Id>>>;
};
