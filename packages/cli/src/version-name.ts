/** How commands are told which version of which model is meant: `fraud/7`, `fraud@champion`, `fraud:Production`, or any of MLflow's `models:/…`. */
import { invalid, notFound } from '@countersign/contract/problem.ts';
import type { Caller } from './caller.ts';

/** What the argument is called in the help of every verb. */
export const VERSION_ARGUMENT = 'fraud/7, fraud@champion, fraud:Production, or models:/…';

export interface VersionName {
  readonly name: string;
  readonly version: number;
}

type Place =
  | { readonly kind: 'number'; readonly version: number }
  | { readonly kind: 'alias'; readonly alias: string }
  | { readonly kind: 'stage'; readonly stage: string }
  | { readonly kind: 'newest' };

export interface VersionText {
  readonly name: string;
  readonly place: Place;
}

/** INVALID_PARAMETER_VALUE for what names no version. Names of models hold neither slash nor colon, aliases no `@`. */
export function readVersion(text: string): VersionText {
  const rest = text.replace(/^models:\/+/i, '');
  const [, name = '', mark, word = ''] = /^([^/:]+)([/:])([^/:]+)$/.exec(rest) ?? /^([^/:]+)(@)([^/:@]+)$/.exec(rest) ?? [];
  if (mark === undefined) throw unreadable(text);
  if (/^latest$/i.test(word) && mark !== ':') return { name, place: { kind: 'newest' } };
  if (mark === '@') return { name, place: { kind: 'alias', alias: word } };
  if (/^\d+$/.test(word)) {
    if (mark === ':' || !/^[1-9]\d{0,14}$/.test(word)) throw unreadable(text);
    return { name, place: { kind: 'number', version: Number(word) } };
  }
  return { name, place: { kind: 'stage', stage: word } };
}

function unreadable(text: string): Error {
  return invalid(
    `A version is given as MODEL/NUMBER, MODEL@ALIAS or MODEL:STAGE, like fraud/7, fraud@champion or fraud:Production, or as models:/…; got '${text}'.`,
  );
}

/** Asks who stands there, where no number is given. RESOURCE_DOES_NOT_EXIST where nobody does; of several in a stage the newest. */
export async function findVersion(ask: Caller['ask'], text: string): Promise<VersionName> {
  const { name, place } = readVersion(text);
  switch (place.kind) {
    case 'number':
      return { name, version: place.version };
    case 'alias': {
      const { holder } = await ask('getAlias', { params: { name, alias: place.alias }, query: {} });
      if (holder === null) throw notFound(`The model '${name}' has no alias '${place.alias}'.`);
      return { name, version: holder.version };
    }
    case 'stage': {
      const { versions, stage } = await ask('getStage', { params: { name, stage: place.stage }, query: {} });
      const newest = versions.at(-1);
      if (newest === undefined) throw notFound(`No version of '${name}' is in ${stage}.`);
      return { name, version: newest.version };
    }
    case 'newest': {
      const [newest] = (await ask('listVersions', { params: { name }, query: { limit: 1 } })).versions;
      if (newest === undefined) throw notFound(`The model '${name}' has no versions.`);
      return { name, version: newest.version };
    }
  }
}
