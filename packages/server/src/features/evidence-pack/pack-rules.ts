/** The form of an evidence pack, to the byte (docs/decisions/0011-evidence-packs.md). Pure. */
import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';

export const PACK_FORMAT = 'countersign.pack.v1';
export const INDEX_FILE = 'pack.json';
export const SIGNATURE_FILE = 'pack.sig';

export const FILES = {
  approvals: 'approvals.json',
  card: 'model-card.html',
  checkpoints: 'checkpoints.json',
  checks: 'checks.json',
  events: 'events.jsonl',
  evidence: 'evidence.json',
  keys: 'keys.json',
  lineage: 'lineage.json',
  manifest: 'manifest.json',
  people: 'people.json',
  version: 'version.json',
} as const;

export const policyFile = (policyHash: string): string => `policies/${policyHash}.json`;
/** As it was written, with its comments. */
export const policySourceFile = (policyHash: string): string => `policies/${policyHash}.yaml`;
/** Of a snapshot that an approval was bound to, and which was renewed since. */
export const evidenceFile = (evidenceDigest: string): string => `evidence/${evidenceDigest}.json`;

export interface PackedFile {
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
}

/** `pack.json`: what the pack is of, and every other file in it but its signature, in order of path. */
export interface PackIndex {
  readonly format: typeof PACK_FORMAT;
  readonly server: string;
  readonly model: { readonly id: number; readonly name: string };
  readonly version: { readonly id: number; readonly number: number };
  /** Of the manifest; null where the version isn't sealed. */
  readonly digest: string | null;
  /** As one line: the events are under it, and its key signs the pack. */
  readonly checkpoint: string;
  /** Of the newest snapshot of evidence; where none was taken, of what one said when the pack was made. */
  readonly evidence: string | null;
  /** Hashes of policies that an event names, and whose texts are not in this workspace. */
  readonly absent_policies: readonly string[];
  readonly files: readonly PackedFile[];
}

export function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes);
}

/** What is signed: "countersign.pack.v1\n" ‖ SHA-256 of `pack.json`, 32 bytes. */
export function packStatement(index: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${PACK_FORMAT}\n`), hash('sha256', index, 'buffer')]);
}

export function signatureText({ keyId, signature }: PackSignature): string {
  return `${PACK_FORMAT} ${keyId} ${signature.toString('base64')}\n`;
}

export interface PackSignature {
  /** 8 hex digits. */
  readonly keyId: string;
  readonly signature: Buffer;
}

/** Undefined for what isn't written as `signatureText` writes it. */
export function readSignature(text: string): PackSignature | undefined {
  const [, keyId, encoded] = /^countersign\.pack\.v1 ([0-9a-f]{8}) ([A-Za-z0-9+/]{86}==)\n$/.exec(text) ?? [];
  if (keyId === undefined || encoded === undefined) return undefined;
  const read = { keyId, signature: Buffer.from(encoded, 'base64') };
  return signatureText(read) === text ? read : undefined;
}

interface ManifestEntry {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** The RFC 8785 text that a seal is over; the entries stand in the order of the bytes of their paths. */
export function manifestText(entries: readonly ManifestEntry[]): string {
  return canonicalize(entries.map((entry) => ({ path: entry.path, sha256: entry.sha256, size: entry.sizeBytes }))) ?? '';
}

export function manifestDigest(text: string): string {
  return hash('sha256', `countersign.manifest.v1\n${text}`);
}

export function policyDigest(text: string): string {
  return hash('sha256', `countersign.policy.v1\n${text}`);
}

export function evidenceDigest(text: string): string {
  return hash('sha256', `countersign.evidence.v1\n${text}`);
}

/** JSON for people and programs: the same members give the same bytes. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}

/** Undefined for what is no index. */
export function readIndex(text: string): PackIndex | undefined {
  const read = parse(text);
  if (!isObject(read) || read.format !== PACK_FORMAT || !Array.isArray(read.files) || !Array.isArray(read.absent_policies))
    return undefined;
  const { model, version } = read;
  const isOfVersion = isObject(model) && isObject(version) && [model.id, version.id, version.number].every(Number.isSafeInteger);
  const areTexts = [read.server, read.checkpoint, isObject(model) ? model.name : undefined].every((each) => typeof each === 'string');
  const areNamed = [read.digest, read.evidence].every((each) => each === null || typeof each === 'string');
  const areHashes = read.absent_policies.every((each) => typeof each === 'string');
  return isOfVersion && areTexts && areNamed && areHashes && read.files.every(isPackedFile) ? (read as unknown as PackIndex) : undefined; // all of it was looked at
}

function isPackedFile(value: unknown): boolean {
  return isObject(value) && typeof value.path === 'string' && typeof value.sha256 === 'string' && Number.isSafeInteger(value.size);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Undefined for what is no JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
