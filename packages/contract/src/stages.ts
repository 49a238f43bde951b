import { clip } from './mlflow/message.ts';
import { invalid } from './problem.ts';

/** Where a version stands, in the order of MLflow (mlflow/entities/model_registry/model_version_stages.py). */
export const STAGES = ['None', 'Staging', 'Production', 'Archived'] as const;
export type Stage = (typeof STAGES)[number];

/** Any case in, canonical out. Throws MLflow's sentence for another word. */
export function canonicalStage(stage: string): Stage {
  const found = STAGES.find((known) => known.toLowerCase() === stage.toLowerCase());
  if (!found) throw invalid(`Invalid Model Version stage: ${clip(stage)}. Value must be one of ${STAGES.join(', ')}.`);
  return found;
}
