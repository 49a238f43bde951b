/** What the sealed files of a version say of it: MLmodel, requirements.txt, the model card. Each chunk is checked before it is read. */
import { Problem } from '@countersign/contract/problem.ts';
import type { BlobStore } from '../../platform/blobs/blob-store.ts';
import type { Ctx } from '../../platform/context.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import { writtenSections } from './model-card-rules.ts';
import { type ModelFacts, NO_FACTS, readModelFile } from './model-file.ts';
import { readRequirements } from './requirement-rules.ts';

export interface SealedFacts {
  readonly model: ModelFacts;
  /** By normalised name. */
  readonly requirements: ReadonlyMap<string, string>;
  readonly hasInputExample: boolean;
  readonly cardSections: readonly string[];
}

export const NOTHING_SEALED: SealedFacts = { model: NO_FACTS, requirements: new Map(), hasInputExample: false, cardSections: [] };

/** Is told the path of a file whose bytes are no longer what was sealed. */
export type OnDamage = (path: string) => Promise<void>;

const CARDS = ['README.md', 'model_card.md'];
/** A larger one is none of these that a person reads. */
const TEXT_BYTES_MAX = 4 << 20;

/**
 * Facts of the last trees, by digest: equal trees say the same. A transaction that needs them waits for no file if somebody read them before it.
 */
const remembered = new WeakMap<BlobStore, Map<string, SealedFacts>>();
const REMEMBERED_MAX = 500;
const REMEMBERED_CHARACTERS_MAX = 64 << 10;

/** Whether `readSealedFiles` needs no file. */
export function areRemembered(ctx: Pick<Ctx, 'blobs'>, tree: artifacts.Tree): boolean {
  return remembered.get(ctx.blobs)?.has(tree.digest) === true;
}

/** Fails with DamagedFile, after `onDamage`, where a file isn't what was sealed. */
export async function readSealedFiles(ctx: Ctx, tree: artifacts.Tree, onDamage: OnDamage): Promise<SealedFacts> {
  const known = remembered.get(ctx.blobs) ?? new Map<string, SealedFacts>();
  remembered.set(ctx.blobs, known);
  const found = known.get(tree.digest);
  if (found) return found;
  const [model, requirements] = [await readText(ctx, tree, 'MLmodel', onDamage), await readText(ctx, tree, 'requirements.txt', onDamage)];
  const cards: string[] = [];
  for (const path of CARDS) cards.push(await readText(ctx, tree, path, onDamage));
  const facts = await factsOf(ctx, tree, { model, requirements, cards });
  if (model.length + requirements.length + cards.join('').length > REMEMBERED_CHARACTERS_MAX) return facts;
  const [oldest] = known.keys();
  if (known.size >= REMEMBERED_MAX && oldest !== undefined) known.delete(oldest);
  known.set(tree.digest, facts);
  return facts;
}

interface Texts {
  readonly model: string;
  readonly requirements: string;
  readonly cards: readonly string[];
}

async function factsOf(ctx: Ctx, tree: artifacts.Tree, texts: Texts): Promise<SealedFacts> {
  const model = texts.model === '' ? NO_FACTS : await readModelFile(texts.model);
  return {
    model,
    requirements: readRequirements(texts.requirements),
    hasInputExample: model.inputExample !== undefined && (await isInTree(ctx, tree, model.inputExample)),
    cardSections: [...new Set(texts.cards.flatMap(writtenSections))],
  };
}

/** The path is a client's, and may be none. */
async function isInTree(ctx: Ctx, tree: artifacts.Tree, path: string): Promise<boolean> {
  try {
    return (await artifacts.findInTree(ctx, tree.id, path)) !== undefined;
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}

/** Empty where there is none, or it is too large. */
async function readText(ctx: Ctx, tree: artifacts.Tree, path: string, onDamage: OnDamage): Promise<string> {
  const file = await artifacts.findInTree(ctx, tree.id, path);
  if (!file || file.sizeBytes > TEXT_BYTES_MAX) return '';
  const pieces: Buffer[] = [];
  const stream = artifacts.readVerified(ctx, file, undefined, () => onDamage(path));
  for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}
