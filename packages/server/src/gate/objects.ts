/** Which experiment or model a request is about, from the members that name it. What never changes is remembered. */
import * as artifacts from '../features/artifacts/artifacts.ts';
import * as experiments from '../features/experiments/experiments.ts';
import * as loggedModels from '../features/logged-models/logged-models.ts';
import * as models from '../features/models/models.ts';
import * as runs from '../features/runs/runs.ts';
import * as versions from '../features/versions/versions.ts';
import type { Ctx } from '../platform/context.ts';
import { Lru } from './lru.ts';

const FACTS_MAX = 20_000;

export interface ObjectRef {
  readonly kind: 'experiment' | 'registered-model';
  readonly id: number;
  readonly name: string;
}

/** Ids are unique in the server, and remembered by workspace, since none is seen from another one. */
export class Objects {
  readonly #experimentOfRun = new Lru<string, number>(FACTS_MAX);
  readonly #experimentOfLoggedModel = new Lru<string, number>(FACTS_MAX);

  async ofRun(ctx: Ctx, runId: string): Promise<ObjectRef | undefined> {
    const key = `${ctx.workspace.id} ${runId}`;
    let id = this.#experimentOfRun.get(key);
    if (id === undefined) {
      id = (await runs.findRun(ctx, runId))?.experimentId;
      if (id === undefined) return undefined;
      this.#experimentOfRun.set(key, id);
    }
    return this.experiment(ctx, id);
  }

  async ofLoggedModel(ctx: Ctx, modelId: string): Promise<ObjectRef | undefined> {
    const key = `${ctx.workspace.id} ${modelId}`;
    let id = this.#experimentOfLoggedModel.get(key);
    if (id === undefined) {
      id = (await loggedModels.findHead(ctx, modelId))?.experimentId;
      if (id === undefined) return undefined;
      this.#experimentOfLoggedModel.set(key, id);
    }
    return this.experiment(ctx, id);
  }

  /** Its name is looked up where prefixes could decide. */
  async experiment(ctx: Ctx, id: number): Promise<ObjectRef | undefined> {
    const found = await experiments.findExperiment(ctx, id);
    return found && { kind: 'experiment', id, name: found.name };
  }

  async experimentByName(ctx: Ctx, name: string): Promise<ObjectRef | undefined> {
    const found = await experiments.findByName(ctx, name);
    return found && { kind: 'experiment', id: found.id, name };
  }

  async hasModel(ctx: Ctx, name: string): Promise<boolean> {
    return (await models.find(ctx, name)) !== undefined;
  }

  /** Active or deleted. */
  async model(ctx: Ctx, id: number): Promise<ObjectRef | undefined> {
    const found = await models.findById(ctx, id);
    return found && { kind: 'registered-model', id, name: found.name };
  }

  async ofVersion(ctx: Ctx, versionId: number): Promise<ObjectRef | undefined> {
    const version = await versions.findById(ctx, versionId);
    return version && this.model(ctx, version.modelId);
  }

  /** Whose files lie at a path of the artifact root. Undefined for what belongs to nobody. */
  async ofPath(ctx: Ctx, path: string): Promise<ObjectRef | undefined> {
    const sealed = artifacts.sealedPathOf(path);
    if (sealed !== undefined) return this.ofVersion(ctx, sealed.versionId);
    const owner = await experiments.findByServedPath(ctx, path);
    return owner && { kind: 'experiment', id: owner.id, name: owner.name };
  }
}
