/** Follows lineage step by step, up and down, for one caller. */
import { LINEAGE_NODES_MAX } from '@countersign/contract/lineage.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import * as events from '../events/events.ts';
import { isVisible } from '../experiments/experiments.ts';
import { GraphDraft } from './lineage-graph.ts';
import * as nodes from './lineage-nodes.ts';
import type { DatasetRow, LoggedModelRow, RunRow, VersionRow } from './lineage-store.ts';
import * as store from './lineage-store.ts';
import { PLACE_EVENTS, type PlaceEvent, staysOf } from './stay-rules.ts';

/** What was reached in one step, and is followed in the next. */
export interface Frontier {
  readonly versions: readonly VersionRow[];
  readonly loggedModels: readonly LoggedModelRow[];
  readonly runs: readonly RunRow[];
  readonly datasets: readonly DatasetRow[];
}

interface Reached {
  readonly versions: VersionRow[];
  readonly loggedModels: LoggedModelRow[];
  readonly runs: RunRow[];
  readonly datasets: DatasetRow[];
}

const nothing = (): Reached => ({ versions: [], loggedModels: [], runs: [], datasets: [] });
const isEmpty = (frontier: Frontier): boolean => Object.values(frontier).every((each: readonly unknown[]) => each.length === 0);
/** One more than a graph may hold, so that what is left out is noticed. */
const ROWS_MAX = LINEAGE_NODES_MAX + 1;
/** Of one version. */
const PLACE_EVENTS_MAX = 1000;

export class LineageWalk {
  readonly draft = new GraphDraft();
  readonly #ctx: Ctx;
  readonly #workspaceId: number;
  readonly #experiments = new Map<number, boolean>();

  constructor(ctx: Ctx) {
    this.#ctx = ctx;
    this.#workspaceId = ctx.workspace.id;
  }

  /** The places of versions count no step. */
  async follow(start: Frontier, direction: 'up' | 'down', depth: number): Promise<void> {
    let frontier = start;
    for (let step = 0; !isEmpty(frontier); step += 1) {
      if (direction === 'down') for (const version of frontier.versions) await this.#addPlaces(version);
      const reached = nothing();
      // One step further than asked, with nothing added, tells whether there is more.
      if (step === depth) return this.#noteMore(frontier, direction);
      await (direction === 'up' ? this.#up(frontier, reached) : this.#down(frontier, reached));
      frontier = reached;
    }
  }

  addVersion(row: VersionRow): string | undefined {
    return this.draft.add(nodes.versionNode(row))?.id;
  }

  addRun(row: RunRow): string | undefined {
    return this.draft.add(nodes.runNode(row))?.id;
  }

  addDataset(row: DatasetRow): string | undefined {
    return this.draft.add(nodes.datasetNode(row))?.id;
  }

  async sees(experimentId: number): Promise<boolean> {
    const known = this.#experiments.get(experimentId);
    if (known !== undefined) return known;
    const is = await isVisible(this.#ctx, experimentId);
    this.#experiments.set(experimentId, is);
    return is;
  }

  get #db() {
    return reading(this.#ctx);
  }

  #seesModel(row: VersionRow): boolean {
    return this.#ctx.access.rankOf('registered-model', { id: row.modelId, name: row.model }) > 0;
  }

  /** Conservative: where something is behind the last step, the graph says that it is cut. */
  async #noteMore(frontier: Frontier, direction: 'up' | 'down'): Promise<void> {
    const hasMore =
      direction === 'up'
        ? frontier.versions.length > 0 || frontier.loggedModels.some((each) => each.sourceRunId) || frontier.runs.length > 0
        : frontier.runs.length > 0 ||
          frontier.datasets.length > 0 ||
          frontier.loggedModels.length > 0 ||
          (await store.listCopies(this.#db, this.#workspaceId, idsOf(frontier.versions), 1)).length > 0;
    if (hasMore) this.draft.truncate();
  }

  async #up(frontier: Frontier, reached: Reached): Promise<void> {
    await this.#upFromVersions(frontier.versions, reached);
    for (const model of frontier.loggedModels) {
      if (!model.sourceRunId) continue;
      const run = (await this.#runs([model.sourceRunId])).get(model.sourceRunId);
      const from = await this.#addSourceRun(model.sourceRunId, run, reached);
      // A model that says it is of a run of another experiment was not seen to come from there.
      this.#link(from, nodes.loggedModelId(model.modelId), 'logged', run?.experimentId !== model.experimentId);
    }
    await this.#upFromRuns(frontier.runs, reached);
  }

  async #upFromVersions(versions: readonly VersionRow[], reached: Reached): Promise<void> {
    const sources = await this.#sourcesOf(versions);
    for (const version of versions) {
      const to = nodes.versionId(version.id);
      const source = sources(version);
      if (source.origin) {
        const { origin } = source;
        const isSeen = this.#seesModel(origin);
        const added = isSeen ? this.draft.add(nodes.versionNode(origin)) : undefined;
        if (added?.isNew) reached.versions.push(origin);
        const from = isSeen ? added?.id : this.draft.addHidden('version', nodes.versionId(origin.id));
        this.#link(from, to, 'copied', false);
        continue;
      }
      if (version.loggedModelId) {
        const from = await this.#addSourceModel(version.loggedModelId, source.loggedModel, reached);
        this.#link(from, to, 'registered', source.isModelClaimed);
      }
      if (source.runId !== undefined) {
        const from = await this.#addSourceRun(source.runId, source.run, reached);
        this.#link(from, to, 'registered', source.isRunClaimed);
      }
    }
  }

  async #upFromRuns(runs: readonly RunRow[], reached: Reached): Promise<void> {
    if (runs.length === 0) return;
    const runOf = new Map(runs.map((run) => [run.pk, nodes.runId(run.runId)]));
    const pks = [...runOf.keys()];
    const datasets = this.#room(await store.listDatasetsOfRuns(this.#db, pks, ROWS_MAX));
    for (const row of datasets) this.#link(this.addDataset(row), runOf.get(row.runPk), 'input', true);
    const inputs = this.#room(await store.listInputsOfRuns(this.#db, pks, ROWS_MAX));
    const models = await this.#loggedModels(inputs.map((each) => each.modelId));
    for (const { runPk, modelId } of inputs)
      this.#link(await this.#addSourceModel(modelId, models.get(modelId), reached), runOf.get(runPk), 'input', true);
    const tags = await store.listRunTags(this.#db, pks, nodes.CODE_TAGS);
    for (const [runPk, ofRun] of Map.groupBy(tags, (tag) => tag.runPk)) {
      const code = nodes.codeNode(new Map(ofRun.map(({ key, value }) => [key, value])));
      if (code) this.#link(this.draft.add(code)?.id, runOf.get(runPk), 'code', true);
    }
  }

  async #down(frontier: Frontier, reached: Reached): Promise<void> {
    const datasetOf = new Map(frontier.datasets.map((row) => [row.id, nodes.datasetId(row)]));
    if (datasetOf.size > 0) {
      const readers = this.#room(await store.listRunsOfDatasets(this.#db, this.#workspaceId, [...datasetOf.keys()], ROWS_MAX));
      for (const run of readers) await this.#addDownRun(run, datasetOf.get(run.datasetId), reached);
    }
    await this.#downFromRuns(frontier.runs, reached);
    await this.#downFromModels(frontier.loggedModels, reached);
    const copies = await this.#listed(frontier.versions, (ids) => store.listCopies(this.#db, this.#workspaceId, ids, ROWS_MAX));
    for (const copy of copies) {
      const to = this.#addDownVersion(copy, reached);
      if (copy.originVersionId !== null) this.#link(nodes.versionId(copy.originVersionId), to, 'copied', false);
    }
  }

  async #downFromRuns(runs: readonly RunRow[], reached: Reached): Promise<void> {
    if (runs.length === 0) return;
    const byId = new Map(runs.map((run) => [run.runId, run]));
    const ids = [...byId.keys()];
    for (const model of this.#room(await store.listLoggedModelsOfRuns(this.#db, this.#workspaceId, ids, ROWS_MAX))) {
      if (!(await this.sees(model.experimentId))) continue;
      const added = this.draft.add(nodes.loggedModelNode(model));
      if (added?.isNew) reached.loggedModels.push(model);
      const run = byId.get(model.sourceRunId ?? '');
      if (run) this.#link(nodes.runId(run.runId), added?.id, 'logged', run.experimentId !== model.experimentId);
    }
    const versions = this.#room(await store.listVersionsOfRuns(this.#db, this.#workspaceId, ids, ROWS_MAX));
    const sources = await this.#sourcesOf(versions);
    for (const version of versions) {
      const { origin, runId, isRunClaimed } = sources(version);
      if (origin || runId === undefined) continue;
      this.#link(nodes.runId(runId), this.#addDownVersion(version, reached), 'registered', isRunClaimed);
    }
  }

  async #downFromModels(models: readonly LoggedModelRow[], reached: Reached): Promise<void> {
    if (models.length === 0) return;
    const ids = models.map((model) => model.modelId);
    const versions = this.#room(await store.listVersionsOfLoggedModels(this.#db, this.#workspaceId, ids, ROWS_MAX));
    const sources = await this.#sourcesOf(versions);
    for (const version of versions) {
      const { origin, isModelClaimed } = sources(version);
      if (origin || version.loggedModelId === null) continue;
      this.#link(nodes.loggedModelId(version.loggedModelId), this.#addDownVersion(version, reached), 'registered', isModelClaimed);
    }
    const readers = this.#room(await store.listRunsOfInputs(this.#db, this.#workspaceId, ids, ROWS_MAX));
    for (const run of readers) await this.#addDownRun(run, nodes.loggedModelId(run.modelId), reached);
  }

  async #addDownRun(run: RunRow, from: string | undefined, reached: Reached): Promise<void> {
    if (!(await this.sees(run.experimentId))) return;
    const added = this.draft.add(nodes.runNode(run));
    if (added?.isNew) reached.runs.push(run);
    this.#link(from, added?.id, 'input', true);
  }

  #addDownVersion(row: VersionRow, reached: Reached): string | undefined {
    if (!this.#seesModel(row)) return undefined;
    const added = this.draft.add(nodes.versionNode(row));
    if (added?.isNew) reached.versions.push(row);
    return added?.id;
  }

  async #addSourceRun(id: string, run: RunRow | undefined, reached: Reached): Promise<string | undefined> {
    if (run === undefined) return this.draft.add(nodes.unknownNode('run', id))?.id;
    if (!(await this.sees(run.experimentId))) return this.draft.addHidden('run', nodes.runId(id));
    const added = this.draft.add(nodes.runNode(run));
    if (added?.isNew) reached.runs.push(run);
    return added?.id;
  }

  async #addSourceModel(id: string, model: LoggedModelRow | undefined, reached: Reached): Promise<string | undefined> {
    if (model === undefined) return this.draft.add(nodes.unknownNode('logged-model', id))?.id;
    if (!(await this.sees(model.experimentId))) return this.draft.addHidden('logged-model', nodes.loggedModelId(id));
    const added = this.draft.add(nodes.loggedModelNode(model));
    if (added?.isNew) reached.loggedModels.push(model);
    return added?.id;
  }

  /** What versions were made from: a version; else a logged model, and a run that is not the logged model's own. */
  async #sourcesOf(versions: readonly VersionRow[]) {
    const origins = await this.#listed(versions, (ids) => store.listVersions(this.#db, this.#workspaceId, ids), originsOf);
    const originOf = new Map(origins.map((row) => [row.id, row]));
    const models = await this.#loggedModels(versions.flatMap((each) => each.loggedModelId ?? []));
    const runs = await this.#runs(versions.flatMap((each) => each.runId || []));
    return (version: VersionRow) => {
      const loggedModel = models.get(version.loggedModelId ?? '');
      const isThroughModel = loggedModel !== undefined && loggedModel.sourceRunId === version.runId;
      const runId = version.runId === '' || isThroughModel ? undefined : version.runId;
      const isUnshown = version.lineage !== 'verified';
      return {
        origin: originOf.get(version.originVersionId ?? -1),
        loggedModel,
        // The server took the bytes from there itself.
        isModelClaimed: isUnshown && version.source !== `models:/${version.loggedModelId}`,
        runId,
        run: runs.get(version.runId),
        isRunClaimed: isUnshown,
      };
    };
  }

  async #addPlaces(version: VersionRow): Promise<void> {
    const stays = staysOf(version.id, await this.#placeEvents(version));
    for (const { place, name, since, until } of stays) {
      const to = this.draft.add(nodes.placeNode(place, name, version))?.id;
      if (to !== undefined) this.draft.link({ from: nodes.versionId(version.id), to, kind: 'placed', isClaimed: false, since, until });
    }
  }

  async #placeEvents(version: VersionRow): Promise<PlaceEvent[]> {
    const found = new Map<number, PlaceEvent>();
    const aliases = new Set<string>();
    const own = events.listAllOfVersion(this.#db, { versionId: version.id, types: PLACE_EVENTS, fromSeq: 0 });
    for await (const event of own) {
      if (!this.#keepEvent(found, event)) break;
      const target = found.get(event.seq)?.target;
      if (target?.startsWith('alias:')) aliases.add(target);
    }
    for (const target of aliases) {
      const query = { workspaceId: this.#workspaceId, modelId: version.modelId, target, untilSeq: Number.MAX_SAFE_INTEGER };
      for await (const event of events.listOfModel(this.#db, query)) if (!this.#keepEvent(found, event)) break;
    }
    return [...found].sort(([a], [b]) => a - b).map(([, event]) => event);
  }

  #keepEvent(found: Map<number, PlaceEvent>, event: Omit<events.RecordedEvent, 'hash'>): boolean {
    const body = JSON.parse(event.body) as { readonly version_id?: number; readonly target?: string }; // as the events room writes it
    found.set(event.seq, { recordedAt: event.recordedAt, type: event.type, versionId: body.version_id, target: body.target });
    if (found.size < PLACE_EVENTS_MAX) return true;
    this.draft.truncate();
    return false;
  }

  async #listed<Row>(
    versions: readonly VersionRow[],
    list: (ids: readonly number[]) => Promise<Row[]>,
    idsFrom: (versions: readonly VersionRow[]) => number[] = idsOf,
  ): Promise<Row[]> {
    const ids = idsFrom(versions);
    return ids.length === 0 ? [] : this.#room(await list(ids));
  }

  async #runs(ids: readonly string[]): Promise<ReadonlyMap<string, RunRow>> {
    const rows = ids.length === 0 ? [] : await store.listRuns(this.#db, this.#workspaceId, [...new Set(ids)]);
    return new Map(rows.map((row) => [row.runId, row]));
  }

  async #loggedModels(ids: readonly string[]): Promise<ReadonlyMap<string, LoggedModelRow>> {
    const rows = ids.length === 0 ? [] : await store.listLoggedModels(this.#db, this.#workspaceId, [...new Set(ids)]);
    return new Map(rows.map((row) => [row.modelId, row]));
  }

  #room<Row>(rows: Row[]): Row[] {
    if (rows.length < ROWS_MAX) return rows;
    this.draft.truncate();
    return rows.slice(0, LINEAGE_NODES_MAX);
  }

  /** Nothing where one of them found no room. */
  #link(
    from: string | undefined,
    to: string | undefined,
    kind: 'input' | 'code' | 'logged' | 'registered' | 'copied',
    isClaimed: boolean,
  ): void {
    if (from !== undefined && to !== undefined) this.draft.link({ from, to, kind, isClaimed });
  }
}

function idsOf(versions: readonly VersionRow[]): number[] {
  return versions.map((version) => version.id);
}

function originsOf(versions: readonly VersionRow[]): number[] {
  return versions.flatMap((version) => version.originVersionId ?? []);
}
