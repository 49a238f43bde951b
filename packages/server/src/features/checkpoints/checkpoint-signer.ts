/** Which key signs: the operator's, or one that is kept in the database under the master key. Decides; the door writes. */
import type { KeyObject } from 'node:crypto';
import { Problem } from '@countersign/contract/problem.ts';
import type { Clock } from '../../platform/context.ts';
import type { SecretBox } from '../../platform/secrets/secret-box.ts';
import type { SigningKeys } from '../../platform/secrets/signing-keys.ts';
import { type CheckpointKey, keyIdOf, keyText, privateKeyOf, publicBytesOf, signText } from './checkpoint-rules.ts';
import { KEY_OWNER, type KeyRow } from './checkpoint-store.ts';

export interface SignerMeans {
  readonly secrets: SecretBox;
  /** Undefined: the key is kept in the database. */
  readonly givenKeys: SigningKeys | undefined;
}

export interface Signer {
  readonly number: number;
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

export interface KeyFacts {
  readonly serverId: string;
  /** Oldest first. */
  readonly keys: readonly KeyRow[];
  readonly clock: Clock;
}

/** The key that signs now, or the next one, which is to be written first. INVALID_STATE where it isn't here. */
export function chooseSigner(means: SignerMeans, facts: KeyFacts): Signer | { readonly next: KeyRow } {
  const newest = facts.keys.at(-1);
  const [wanted] = means.givenKeys?.list() ?? [];
  if (newest === undefined) return { next: nextKey(means, facts, { privateKey: wanted, signer: undefined }) };
  if (wanted === undefined) return signerOf(facts, newest, kept(means, newest) ?? throwNotKept(facts, newest));
  if (publicBytesOf(wanted).equals(newest.publicKey)) return signerOf(facts, newest, wanted);
  return { next: nextGivenKey(means, facts, newest, wanted, false) };
}

/** A new key in the place of the newest. `isLost`: that one can't sign for it. INVALID_STATE where it would have to. */
export function chooseNextKey(means: SignerMeans, facts: KeyFacts, isLost: boolean): KeyRow {
  const newest = facts.keys.at(-1);
  const [wanted] = means.givenKeys?.list() ?? [];
  if (newest === undefined) return nextKey(means, facts, { privateKey: wanted, signer: undefined });
  if (wanted === undefined) {
    const signer = isLost ? undefined : (kept(means, newest) ?? throwNotKept(facts, newest));
    return nextKey(means, facts, { privateKey: undefined, signer });
  }
  if (publicBytesOf(wanted).equals(newest.publicKey))
    throw new Problem(
      'INVALID_STATE',
      `The key comes from ${means.givenKeys?.origin}, so the new one does too: put it there before the old one.`,
    );
  return nextGivenKey(means, facts, newest, wanted, isLost);
}

function nextGivenKey(means: SignerMeans, facts: KeyFacts, newest: KeyRow, wanted: KeyObject, isLost: boolean): KeyRow {
  const origin = means.givenKeys?.origin ?? '';
  if (facts.keys.some((key) => publicBytesOf(wanted).equals(key.publicKey)))
    throw new Problem(
      'INVALID_STATE',
      `The first key in ${origin} was replaced by another one. Put the newest, ${idOf(facts, newest)}, first.`,
    );
  if (isLost) return nextKey(means, facts, { privateKey: wanted, signer: undefined });
  const old = means.givenKeys?.list().find((key) => publicBytesOf(key).equals(newest.publicKey)) ?? kept(means, newest);
  if (old !== undefined) return nextKey(means, facts, { privateKey: wanted, signer: old });
  throw new Problem(
    'INVALID_STATE',
    `The first key in ${origin} is a new one, and the old one, ${idOf(facts, newest)}, must sign for it: put it behind the new one. ` +
      'Where it is lost: countersign audit rotate-key --lost.',
  );
}

function throwNotKept(facts: KeyFacts, newest: CheckpointKey): never {
  throw new Problem(
    'INVALID_STATE',
    `Checkpoints are signed by the key ${idOf(facts, newest)}, which is not in the database. Name it with --checkpoint-key-file or in ` +
      'COUNTERSIGN_CHECKPOINT_KEY. Where it is lost: countersign audit rotate-key --lost.',
  );
}

function kept({ secrets }: SignerMeans, { sealed }: KeyRow): KeyObject | undefined {
  if (sealed === undefined) return undefined;
  try {
    return privateKeyOf(Buffer.from(secrets.open(sealed, KEY_OWNER), 'base64'));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new Problem(
      error.code,
      `The key that signs checkpoints can't be read. ${error.message} Where it is lost: countersign audit rotate-key --lost.`,
      { cause: error },
    );
  }
}

/** `privateKey` undefined: a new one, kept in the database. `signer` undefined: it signs for itself. */
function nextKey(
  { secrets }: SignerMeans,
  facts: KeyFacts,
  { privateKey, signer }: { readonly privateKey: KeyObject | undefined; readonly signer: KeyObject | undefined },
): KeyRow {
  const seed = privateKey === undefined ? facts.clock.randomBytes(32) : undefined;
  const own = privateKey ?? privateKeyOf(seed ?? Buffer.alloc(0));
  const number = facts.keys.length + 1;
  const key = { number, publicKey: publicBytesOf(own), createdAt: facts.clock.now(), signedBy: signer === undefined ? number : number - 1 };
  return {
    ...key,
    signature: signText(keyText(facts.serverId, key), signer ?? own),
    sealed: seed && secrets.seal(seed.toString('base64'), KEY_OWNER),
  };
}

function signerOf(facts: KeyFacts, key: KeyRow, privateKey: KeyObject): Signer {
  return { number: key.number, keyId: idOf(facts, key), privateKey };
}

function idOf({ serverId }: KeyFacts, key: CheckpointKey): string {
  return keyIdOf(serverId, key.publicKey);
}
