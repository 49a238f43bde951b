/** Policies as files: each file one, a folder each `.yaml` and `.yml` in it. Read here, so that a fault names its file before anything is asked. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Policy } from '@countersign/contract/policies.ts';
import { parsePolicy } from '@countersign/contract/policy-document.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';

export interface PolicyFile {
  readonly file: string;
  readonly text: string;
}

export interface NamedFile extends PolicyFile {
  readonly policy: Policy;
}

/** Throws INVALID_PARAMETER_VALUE for what can't be read, and for a folder without policies: with --prune it would withdraw all. */
export function readPolicyFiles(paths: readonly string[]): PolicyFile[] {
  return paths.flatMap(filesOf).map((file) => ({ file, text: readPolicyText(file) }));
}

function filesOf(path: string): string[] {
  if (path === '-' || !isFolder(path)) return [path];
  const names = readdirSync(path)
    .filter((name) => /\.ya?ml$/i.test(name))
    .sort();
  if (names.length === 0) throw invalid(`The folder ${path} holds no file that ends with .yaml or .yml.`);
  return names.map((name) => join(path, name));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function readPolicyText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw invalid(`The file ${file} can't be read (${(error as { code?: string }).code ?? 'unknown error'}).`);
  }
}

/** INVALID_PARAMETER_VALUE with file, line and member; and where two files have one name. */
export function parseAll(files: readonly PolicyFile[]): NamedFile[] {
  const byName = new Map<string, NamedFile>();
  for (const each of files) {
    const policy = parseFile(each);
    const other = byName.get(policy.name);
    if (other !== undefined)
      throw invalid(`The files ${other.file} and ${each.file} both hold a policy named '${policy.name}'. Rename one.`);
    byName.set(policy.name, { ...each, policy });
  }
  return [...byName.values()];
}

function parseFile({ file, text }: PolicyFile): Policy {
  const fault = faultOf(text);
  if (typeof fault !== 'string') return fault;
  throw invalid(`${file}: ${fault}`);
}

/** The policy, or what is wrong with its text. */
export function faultOf(text: string): Policy | string {
  try {
    return parsePolicy(text);
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
}
