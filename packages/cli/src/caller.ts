/** What commands ask: an endpoint of the native API by its id, answered by a running server or from the data itself. */
import type { AnswerOf, InputOf } from '@countersign/contract/endpoint.ts';
import type { EndpointId, EndpointOf } from '@countersign/contract/native-api.ts';

export interface Caller {
  /** Throws the Problem that the endpoint answers; TEMPORARILY_UNAVAILABLE where nobody does. */
  ask<Id extends EndpointId>(id: Id, input?: Partial<InputOf<EndpointOf<Id>>>): Promise<AnswerOf<EndpointOf<Id>>>;
  /** For a job of a CI system: the same server with a fresh token; undefined where it can get none. */
  readonly asJob?: () => Promise<Caller | undefined>;
}

const PAGE = 1000;

/** All pages of a list, one after another. */
export async function askAll<Answer extends { readonly next_page_token: string | null }>(
  ask: (page: { limit: number; page_token?: string }) => Promise<Answer>,
): Promise<Answer[]> {
  const pages: Answer[] = [];
  for (let token: string | null | undefined; token !== null; ) {
    const page = await ask({ limit: PAGE, ...(token === undefined ? {} : { page_token: token }) });
    pages.push(page);
    token = page.next_page_token;
  }
  return pages;
}
