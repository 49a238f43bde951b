/** Deleted models, in a data folder that no server has, or through a running server. */
import { Problem, type ProblemCode } from '@countersign/contract/problem.ts';
import type { DataPlace, DeletedModel } from '@countersign/server/maintenance.ts';
import { say } from './output.ts';

export interface DeletedModels {
  list(name: string): Promise<readonly DeletedModel[]>;
  purge(model: DeletedModel): Promise<void>;
}

export async function dataModels(place: DataPlace, work: (deleted: DeletedModels) => Promise<void>): Promise<void> {
  const { listDeletedModels, purgeModel, withData } = await import('@countersign/server/maintenance.ts');
  await withData(place, say, (ctx) => work({ list: (name) => listDeletedModels(ctx, name), purge: (model) => purgeModel(ctx, model.id) }));
}

/** TEMPORARILY_UNAVAILABLE where nobody answers. */
export function serverModels(url: string): DeletedModels {
  return {
    list: async (name) => {
      const query = new URLSearchParams({ name });
      const { models } = (await ask(url, 'GET', `/api/v1/deleted-models?${query}`)) as {
        models: { id: number; name: string; deleted_at: unknown }[];
      }; // DeletedModels of the contract
      return models.map((model) => ({
        id: model.id,
        name: model.name,
        deletedAt: new Date(model.deleted_at as string | number).getTime(),
      }));
    },
    purge: async (model) => {
      await ask(url, 'DELETE', `/api/v1/deleted-models/${model.id}?${new URLSearchParams({ confirm: model.name })}`);
    },
  };
}

const ANSWER_MS = 60_000;

async function ask(url: string, method: string, path: string): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(`${url.replace(/\/+$/, '')}${path}`, { method, signal: AbortSignal.timeout(ANSWER_MS) });
  } catch (error) {
    throw new Problem('TEMPORARILY_UNAVAILABLE', `No server answers at ${url}. Is it running, and is the address right?`, { cause: error });
  }
  const text = await response.text();
  if (response.ok) return text === '' ? {} : JSON.parse(text);
  const { error_code, message } = readError(text);
  throw new Problem(error_code ?? 'INTERNAL_ERROR', message ?? `The server at ${url} answered ${response.status}.`);
}

function readError(text: string): { error_code?: ProblemCode; message?: string } {
  try {
    return JSON.parse(text) as { error_code?: ProblemCode; message?: string }; // the server's form of a Problem
  } catch {
    return {};
  }
}
