/** Checkpoints and keys that somebody kept, as they are given to commands: a text, or a file. */
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { invalid } from '@countersign/contract/problem.ts';
import { readCheckpoint, type SignedCheckpoint } from '@countersign/server/features/checkpoints/checkpoint-rules.ts';

const LINES = /csc1\.[0-9a-f]{32}\.[\w.-]+/g;

/** A checkpoint, or a file with a note or with lines among whatever else (a log of headers). At least one. INVALID_PARAMETER_VALUE. */
export function readKept(given: string): SignedCheckpoint[] {
  const itself = readCheckpoint(given);
  if (itself !== undefined) return [itself];
  if (given.startsWith('csc1.'))
    throw invalid('What is given by --since is no checkpoint: it is longer, shorter or another one than was answered.');
  const text = readText(given);
  const note = readCheckpoint(text);
  if (note !== undefined) return [note];
  const kept = (text.match(LINES) ?? []).map((line) => readCheckpoint(line));
  if (kept.length > 0 && kept.every((each) => each !== undefined)) return kept;
  throw invalid(`The file ${given} holds ${kept.length === 0 ? 'no checkpoint' : 'something that begins as a checkpoint and is none'}.`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw invalid(`The file ${file} can't be read (${(error as { code?: string }).code ?? 'unknown error'}).`);
  }
}

/** 32 bytes: from PEM, from the form that verifiers of signed notes take, or in base64. INVALID_PARAMETER_VALUE. */
export function readPublicKey(file: string): Buffer {
  const text = readText(file).trim();
  if (text.includes('-----BEGIN')) return fromPem(text, file);
  const [, , encoded = text] = /^(countersign\/[0-9a-f]{32}\+[0-9a-f]{8}\+)(\S+)$/.exec(text) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length === 33 && bytes[0] === 1) return bytes.subarray(1);
  if (bytes.length === 32 && encoded === text) return bytes;
  throw invalid(`The file ${file} must hold one Ed25519 public key, as 'countersign audit keys' prints it, or as PEM.`);
}

function fromPem(text: string, file: string): Buffer {
  try {
    const key = createPublicKey(text);
    if (key.asymmetricKeyType === 'ed25519') return key.export({ format: 'der', type: 'spki' }).subarray(-32);
  } catch {
    // The refusal below says what is needed.
  }
  throw invalid(`The PEM file ${file} holds no Ed25519 public key.`);
}
