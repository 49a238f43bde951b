/** A whole run as upstream's wire shows it (service.proto Run), as text: the lists go out as the database wrote them. */
import { type RunText, readDatasets } from '../features/runs/runs.ts';
import { datasetInputToWire, runInfoToWire } from './tracking-wire.ts';

/** `inputs` and `outputs` are there even if empty, as upstream's `runs/get` and `runs/search` have them; empty lists are left out. */
export function runJson(run: RunText): string {
  const data = members(member('metrics', run.metrics), member('params', run.params), member('tags', run.tags));
  const inputs = members(member('dataset_inputs', datasetInputs(run.datasets)), member('model_inputs', run.modelInputs));
  const outputs = members(member('model_outputs', run.modelOutputs));
  return `{"info":${JSON.stringify(runInfoToWire(run.info))},"data":${data},"inputs":${inputs},"outputs":${outputs}}`;
}

function datasetInputs(text: string): string {
  return text === '[]' ? text : JSON.stringify(readDatasets(text).map(datasetInputToWire));
}

function member(name: string, list: string): string {
  return list === '[]' ? '' : `"${name}":${list},`;
}

/** Each ends with a comma. */
function members(...list: readonly string[]): string {
  return `{${list.join('').slice(0, -1)}}`;
}
