// What the load generator is asked and what it answers; both cross a process boundary.
import type { RequestTemplate } from './request-template.ts';

/** What a good response's body is: at least two bytes of JSON, nothing at all, or exactly so many bytes. */
export type ExpectedBody = 'json' | 'empty' | number;

export type LoadJob = {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** No request is begun after this many; the job may end before its time. */
  readonly requestsMax: number;
  readonly templates: readonly RequestTemplate[];
  /** Which template and which count come first, so that a later job doesn't repeat an earlier one. */
  readonly counterStart: number;
  readonly fillerBytes: number;
  readonly expectedBody: ExpectedBody;
};

export type LoadResult = {
  readonly completed: number;
  readonly errors: number;
  readonly firstError?: string;
  readonly elapsedMs: number;
  readonly bodyBytes: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly counterNext: number;
};
