/** What upstream serves and this server doesn't: one sentence for each, in the form its clients read. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import type { Exchange } from '../platform/http/exchange.ts';
import { MLFLOW_VERSION } from './server-routes.ts';

const SIGN_UP = 'Nobody signs up by a page: an administrator makes accounts, with users/create or countersign user create.';
const GENAI = 'is out of scope: Countersign keeps experiments, runs and models';

/** By the first word after `/mlflow/`. */
const NOUNS: Readonly<Record<string, string>> = {
  traces: `Tracing ${GENAI}. Send traces to a server of MLflow's or an OpenTelemetry collector.`,
  'unified-traces': `Tracing ${GENAI}.`,
  'get-trace-artifact': `Tracing ${GENAI}.`,
  'get-online-trace-details': `Tracing ${GENAI}.`,
  assessments: `Assessment of traces ${GENAI}.`,
  scorers: `Scoring of traces ${GENAI}.`,
  scorer: `Scoring of traces ${GENAI}.`,
  issues: `Issues of traces ${GENAI}.`,
  genai: `GenAI evaluation ${GENAI}.`,
  datasets: `Evaluation datasets are out of scope. The dataset inputs of runs are served: runs/log-inputs.`,
  gateway: `The AI gateway ${GENAI}.`,
  'gateway-proxy': `The AI gateway ${GENAI}.`,
  'label-schemas': `Labelling ${GENAI}.`,
  'review-queues': `Review queues for traces ${GENAI}.`,
  'prompt-optimization': `Prompt optimization ${GENAI}.`,
  jobs: `Jobs of the GenAI features are out of scope.`,
  demo: `MLflow's demo data is not served.`,
  'ui-telemetry': `Nothing is sent to anybody from here.`,
  workspaces: `Workspaces are switched off on this server (--disable-workspaces): everything is in the workspace "default".`,
  users: SIGN_UP,
};

const PATHS: Readonly<Record<string, string>> = {
  '/graphql': "GraphQL serves only MLflow's own web pages, which are not here.",
  '/signup': SIGN_UP,
  '/v1/traces': NOUNS.traces ?? '',
  '/ajax-api/2.0/mlflow/runs/create-promptlab-run': `The prompt laboratory ${GENAI}.`,
};

/** For every path without a route: 404 ENDPOINT_NOT_FOUND. A path that isn't one: 400. */
export function answerUnknownPath(exchange: Exchange): never {
  throw unknownPath(exchange.path);
}

export function unknownPath(path: string): Problem {
  if (!isDecodable(path)) return invalid('The path is not valid percent-encoded UTF-8.');
  const noun = /^\/(?:ajax-)?api\/[23]\.0\/mlflow\/([\w-]+)/.exec(path)?.[1] ?? '';
  const reason = PATHS[path] ?? (Object.hasOwn(NOUNS, noun) ? NOUNS[noun] : undefined);
  return new Problem(
    'ENDPOINT_NOT_FOUND',
    `There is no endpoint at '${clip(path)}'. ${reason ?? `The paths of MLflow ${MLFLOW_VERSION} begin with /api/2.0/mlflow, the native API with /api/v1.`}`,
  );
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
