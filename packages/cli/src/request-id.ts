/** How commands are told which request is meant. */
import { invalid } from '@countersign/contract/problem.ts';

/** INVALID_PARAMETER_VALUE for what is no number. */
export function requestId(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw invalid(`A request is named by its number, as countersign request list shows it; got '${text}'.`);
}
