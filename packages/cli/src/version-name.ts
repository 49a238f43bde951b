/** `fraud/7`: how commands are told which version of which model is meant. */
import { invalid } from '@countersign/contract/problem.ts';

export interface VersionName {
  readonly name: string;
  readonly version: number;
}

/** INVALID_PARAMETER_VALUE for what isn't MODEL/NUMBER. Names hold no slash. */
export function readVersionName(text: string): VersionName {
  const [, name = '', number] = /^([^/]+)\/([1-9]\d{0,14})$/.exec(text) ?? [];
  if (number !== undefined) return { name, version: Number(number) };
  throw invalid(`A version is given as MODEL/NUMBER, like fraud/7; got '${text}'.`);
}
