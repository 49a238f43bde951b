/** Verifies a pack from its bytes alone: no server, no database. Stops at the first thing that is wrong, and names the file that it is in. */
import { isDeepStrictEqual } from 'node:util';
import {
  CheckpointAudit,
  isSignedBy,
  keyIdOf,
  provesConsistency,
  readCheckpoint,
  readFrontier,
  type SignedCheckpoint,
} from '../checkpoints/checkpoints.ts';
import { readPolicy } from '../policies/policies.ts';
import { type PackedCheckpoints, readCheckpoints, readKeys } from './key-line.ts';
import { approvalsIn, checksIn, type EventFacts, evidenceIn, newestEvidence, policiesIn, sealedDigest } from './pack-event-rules.ts';
import * as rules from './pack-rules.ts';
import { type PackFiles, readZip } from './pack-zip.ts';
import { readEvents } from './packed-events.ts';

export interface PackFault {
  /** The file in the pack, or `the zip`. */
  readonly file: string;
  /** The end of a sentence about it. */
  readonly reason: string;
}

export interface PackVerdict {
  /** Undefined: the pack is whole. */
  readonly fault: PackFault | undefined;
  /** As far as it could be read. */
  readonly index: rules.PackIndex | undefined;
  readonly events: number;
  readonly keyId: string | undefined;
}

export interface PackExpectations {
  /** 32 bytes that were come by in another way than the pack. */
  readonly trustedKey?: Uint8Array | undefined;
  /** Checkpoints that somebody kept: the pack's must go on from each. */
  readonly kept?: readonly SignedCheckpoint[];
}

class PackRefused extends Error {
  readonly fault: PackFault;

  constructor(file: string, reason: string) {
    super(`${file} ${reason}`);
    this.fault = { file, reason };
  }
}

function refuse(file: string, reason: string): never {
  throw new PackRefused(file, reason);
}

export async function verifyPack(bytes: Uint8Array, expected: PackExpectations = {}): Promise<PackVerdict> {
  const verification = new Verification(expected);
  try {
    await verification.run(bytes);
  } catch (error) {
    if (!(error instanceof PackRefused)) throw error;
    return verification.verdict(error.fault);
  }
  return verification.verdict(undefined);
}

class Verification {
  readonly #expected: PackExpectations;
  #index: rules.PackIndex | undefined;
  #events: readonly EventFacts[] = [];
  #keyId: string | undefined;

  constructor(expected: PackExpectations) {
    this.#expected = expected;
  }

  verdict(fault: PackFault | undefined): PackVerdict {
    return { fault, index: this.#index, events: this.#events.length, keyId: this.#keyId };
  }

  async run(bytes: Uint8Array): Promise<void> {
    const { files, objection } = readZip(bytes);
    if (files === undefined) refuse('the zip', objection ?? '');
    const index = this.#readIndex(files);
    this.#refuseFiles(files, index);
    const { checkpoint, checkpoints } = this.#refuseCheckpoint(files, index);
    this.#refuseKept(checkpoint, checkpoints);
    this.#events = this.#readEvents(files, index, checkpoint);
    this.#refuseManifest(files, index);
    await this.#refusePolicies(files, index);
    this.#refuseEvidence(files, index);
    this.#refuseRetold(files);
  }

  /** Signed first: what the index says of the files is worth nothing before. */
  #readIndex(files: PackFiles): rules.PackIndex {
    const bytes = files.get(rules.INDEX_FILE) ?? refuse(rules.INDEX_FILE, 'is missing');
    const signed =
      rules.readSignature(textOf(files, rules.SIGNATURE_FILE)) ?? refuse(rules.SIGNATURE_FILE, 'is not written as a signature is');
    const index = rules.readIndex(textOf(files, rules.INDEX_FILE)) ?? refuse(rules.INDEX_FILE, 'is not the index of an evidence pack');
    this.#index = index;
    const keys = readKeys(textOf(files, rules.FILES.keys)) ?? refuse(rules.FILES.keys, 'is no list of keys');
    const isOfKey = keys.some(
      (key) =>
        keyIdOf(index.server, key.publicKey) === signed.keyId && isSignedBy(rules.packStatement(bytes), signed.signature, key.publicKey),
    );
    if (isOfKey) {
      this.#keyId = signed.keyId;
      return index;
    }
    // The index names the digest of the keys too, so it tells which of the two was touched.
    this.#refuseFile(
      files,
      index.files.find(({ path }) => path === rules.FILES.keys),
    );
    return refuse(rules.SIGNATURE_FILE, `is no signature of ${rules.INDEX_FILE} by any of the server's keys: one of the two was changed`);
  }

  #refuseFiles(files: PackFiles, index: rules.PackIndex): void {
    for (const file of index.files) this.#refuseFile(files, file);
    const known = new Set([rules.INDEX_FILE, rules.SIGNATURE_FILE, ...index.files.map(({ path }) => path)]);
    for (const path of files.keys()) if (!known.has(path)) refuse(path, 'was added: the signed index does not name it');
  }

  #refuseFile(files: PackFiles, file: rules.PackedFile | undefined): void {
    if (file === undefined) return;
    const bytes = files.get(file.path) ?? refuse(file.path, 'is missing');
    if (bytes.length !== file.size || rules.sha256(bytes) !== file.sha256)
      refuse(file.path, 'was changed: its SHA-256 is not the one in the signed index');
  }

  #refuseCheckpoint(files: PackFiles, index: rules.PackIndex): { checkpoint: SignedCheckpoint; checkpoints: PackedCheckpoints } {
    const checkpoint = readCheckpoint(index.checkpoint) ?? refuse(rules.INDEX_FILE, 'names something that is no checkpoint');
    const { checkpoints: file, keys: keysFile } = rules.FILES;
    const checkpoints = readCheckpoints(textOf(files, file)) ?? refuse(file, 'is not written as a pack writes it');
    const frontier = frontierOf(checkpoint.size, checkpoints.frontier) ?? refuse(file, 'has a frontier that is not of the checkpoint');
    const audit = new CheckpointAudit({ serverId: index.server, trustedKey: this.#expected.trustedKey, after: { checkpoint, frontier } });
    for (const key of readKeys(textOf(files, keysFile)) ?? []) {
      const reason = audit.takeKey(key);
      if (reason !== undefined) refuse(keysFile, `holds key ${key.number}, which ${reason}`);
    }
    const reason = audit.refuseStart();
    if (reason !== undefined) refuse(rules.INDEX_FILE, `stands on a checkpoint that ${reason}`);
    if (this.#keyId !== checkpoint.keyId) refuse(rules.SIGNATURE_FILE, 'is by another key than the checkpoint that the pack stands on');
    const distrust = audit.refuseTrust();
    if (distrust !== undefined) refuse(rules.SIGNATURE_FILE, distrust);
    return { checkpoint, checkpoints };
  }

  #refuseKept(checkpoint: SignedCheckpoint, { earlier }: PackedCheckpoints): void {
    const file = rules.FILES.checkpoints;
    for (const kept of this.#expected.kept ?? []) {
      const over = `the checkpoint over ${kept.size} events that you keep`;
      if (kept.serverId !== checkpoint.serverId)
        refuse(file, `is of the server ${checkpoint.serverId}, and ${over} is of ${kept.serverId}`);
      if (kept.size > checkpoint.size)
        refuse(file, `ends at ${checkpoint.size} events, before ${over}: export the pack anew, or take an earlier checkpoint`);
      if (kept.size === checkpoint.size && kept.root.equals(checkpoint.root)) continue;
      const proofs = earlier.filter(({ line }) => readCheckpoint(line)?.size === kept.size);
      if (kept.size < checkpoint.size && proofs.length === 0)
        refuse(file, `has no proof that it goes on from ${over}: export the pack with --since and that checkpoint`);
      const isProved = proofs.some(({ proof }) => provesConsistency(kept, checkpoint, proof.map(fromBase64)));
      if (!isProved) refuse(file, `is of another record than ${over}: it was rewritten or cut`);
    }
  }

  #readEvents(files: PackFiles, index: rules.PackIndex, checkpoint: SignedCheckpoint): readonly EventFacts[] {
    const read = readEvents(textOf(files, rules.FILES.events), index, checkpoint);
    if ('fault' in read) refuse(rules.FILES.events, read.fault);
    return read.events;
  }

  #refuseManifest(files: PackFiles, { digest, version }: rules.PackIndex): void {
    const sealed = sealedDigest(this.#events, version.id) ?? null;
    const file = rules.FILES.manifest;
    if (sealed !== digest)
      refuse(rules.INDEX_FILE, `says that the version is sealed with ${digest ?? 'nothing'}, and the events say ${sealed ?? 'nothing'}`);
    if (digest === null) return;
    const found = rules.manifestDigest(textOf(files, file));
    if (found !== digest) refuse(file, `has the digest ${found}, and the version was sealed with ${digest}`);
  }

  async #refusePolicies(files: PackFiles, index: rules.PackIndex): Promise<void> {
    for (const hash of policiesIn(this.#events)) {
      if (index.absent_policies.includes(hash)) continue;
      const [file, source] = [rules.policyFile(hash), rules.policySourceFile(hash)];
      if (!files.has(file)) refuse(file, 'is missing, and something was approved or allowed under that policy');
      const found = rules.policyDigest(textOf(files, file));
      if (found !== hash) refuse(file, `is another policy, ${found}, than the one that was in force`);
      if (!files.has(source)) refuse(source, 'is missing');
      if ((await hashOfSource(textOf(files, source))) !== hash) refuse(source, 'says something else than the policy that was in force');
    }
  }

  #refuseEvidence(files: PackFiles, { evidence, version }: rules.PackIndex): void {
    const newest = newestEvidence(this.#events, version.id);
    if (newest !== undefined && newest !== evidence)
      refuse(rules.INDEX_FILE, `says that the evidence is ${evidence ?? 'none'}, and the events say ${newest}`);
    if (evidence !== null) {
      const found = rules.evidenceDigest(textOf(files, rules.FILES.evidence));
      if (found !== evidence) refuse(rules.FILES.evidence, `has the digest ${found}, and the index says ${evidence}`);
    }
    for (const digest of evidenceIn(this.#events, version.id)) {
      const file = rules.evidenceFile(digest);
      if (files.has(file) && rules.evidenceDigest(textOf(files, file)) !== digest) refuse(file, 'is other evidence than its name says');
    }
  }

  /** What is told for people must be what the events say. */
  #refuseRetold(files: PackFiles): void {
    for (const [file, told] of [
      [rules.FILES.approvals, approvalsIn(this.#events)],
      [rules.FILES.checks, checksIn(this.#events)],
    ] as const) {
      if (!isDeepStrictEqual(rules.parse(textOf(files, file)), JSON.parse(JSON.stringify(told))))
        refuse(file, 'says something else than the events do');
    }
  }
}

function textOf(files: PackFiles, path: string): string {
  const bytes = files.get(path) ?? refuse(path, 'is missing');
  return Buffer.from(bytes).toString('utf8');
}

const fromBase64 = (text: string): Buffer => Buffer.from(text, 'base64');

function frontierOf(size: number, base64: string): ReturnType<typeof readFrontier> | undefined {
  try {
    return readFrontier(size, fromBase64(base64));
  } catch {
    // Of another size.
    return undefined;
  }
}

async function hashOfSource(text: string): Promise<string | undefined> {
  try {
    return (await readPolicy(text)).hash;
  } catch {
    // It is no policy.
    return undefined;
  }
}
