/** A governed story that tells events of every kind that governance has, with a checkpoint in its middle that somebody keeps. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as requests from '@countersign/server/features/requests/requests.ts';
import { type Office, openOffice } from '../../support/governed-office.ts';

/** What the story tells at least, each before the checkpoint that is kept. */
export const TOLD_TYPES = [
  'transition.allowed',
  'request.opened',
  'request.approved',
  'request.applied',
  'request.rejected',
  'request.cancelled',
  'request.expired',
  'check.reported',
  'evidence.taken',
  'evidence.renewed',
  'policy.published',
  'policy.withdrawn',
] as const;

const MODEL = 'fraud';
const DAY_MS = 86_400_000;

const production = (approvals: number): string => `
name: production
mode: enforce
match: { model: ${MODEL}, target: { stage: Production } }
requirements:
  approvals: [{ group: risk, count: ${approvals} }]
  checks: [{ name: ci/tests }]
expiry: { request: 7d }
`;
const WATCHING = `
name: watching
mode: observe
match: { model: ${MODEL}, target: { alias: champion } }
requirements: { description: true }
`;

export interface ToldStory {
  readonly office: Office;
  /** In the office's folder: the checkpoint that was kept, the public key, and the whole record. */
  readonly files: { readonly kept: 'kept.txt'; readonly key: 'key.pub'; readonly record: 'record.jsonl' };
  close(): Promise<void>;
}

export async function tellStory(databaseUrl: string | undefined): Promise<ToldStory> {
  const office = await openOffice(
    databaseUrl,
    { alice: { level: 'USE' }, bob: { level: 'READ', groups: ['risk'] }, carol: { level: 'READ', groups: ['risk'] } },
    { ci: { owner: 'root', scopes: ['read', 'check:ci/tests'] } },
  );
  await office.publish(production(1), WATCHING);
  await moveOne(office, ['bob']);
  await askInVain(office);
  await office.publish(production(2));
  await withdrawOne(office);
  await moveOne(office, ['bob', 'carol']);
  writeFileSync(join(office.folder, 'kept.txt'), await print(office, ['audit', 'checkpoint']));
  await moveOne(office, ['carol', 'bob']);
  writeFileSync(join(office.folder, 'key.pub'), await print(office, ['audit', 'keys', '--quiet']));
  await print(office, ['audit', 'export', '--texts', '--output', 'record.jsonl']);
  return { office, files: { kept: 'kept.txt', key: 'key.pub', record: 'record.jsonl' }, close: () => office.close() };
}

async function print(office: Office, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await office.command('root', args);
  if (code !== 0) throw new Error(`countersign ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout;
}

async function ask(office: Office): Promise<{ version: number; request: number }> {
  const version = await office.register('alice', MODEL);
  const wish = { target: { kind: 'stage', stage: 'Production' }, comment: 'It is better.' };
  return { version, request: (await office.must('alice', 'POST', `/api/v1/models/${MODEL}/versions/${version}/requests`, wish)).id };
}

async function moveOne(office: Office, approvers: readonly string[]): Promise<void> {
  const { version, request } = await ask(office);
  const { seal } = await office.must('ci', 'GET', `/api/v1/models/${MODEL}/versions/${version}`);
  const report = { name: 'ci/tests', external_id: `run-${version}`, status: 'completed', conclusion: 'success', digest: seal.digest };
  await office.must('ci', 'POST', `/api/v1/models/${MODEL}/versions/${version}/checks`, report);
  for (const who of approvers) await office.must(who, 'POST', `/api/v1/requests/${request}/approve`, { comment: `${who} has looked.` });
  const { state } = await office.must('alice', 'GET', `/api/v1/requests/${request}`);
  if (state !== 'approved') throw new Error(`request ${request} is ${state}`);
}

/** Rejected, taken back, expired; and the evidence renewed beside. */
async function askInVain(office: Office): Promise<void> {
  const first = await ask(office);
  await office.must('bob', 'POST', `/api/v1/requests/${first.request}/reject`, { comment: 'Not yet.' });
  const second = await ask(office);
  await office.must('alice', 'POST', `/api/v1/requests/${second.request}/cancel`, {});
  const third = await ask(office);
  const { run_id } = await office.must('alice', 'GET', `/api/v1/models/${MODEL}/versions/${third.version}`);
  await office.must('alice', 'POST', '/api/2.0/mlflow/runs/log-metric', { run_id, key: 'accuracy', value: 0.9, timestamp: 1 });
  await office.must('alice', 'POST', `/api/v1/models/${MODEL}/versions/${third.version}/evidence/renew`);
  const { ctx } = office.app;
  await requests.sweep({ ...ctx, clock: { ...ctx.clock, now: () => Date.now() + 8 * DAY_MS } });
}

async function withdrawOne(office: Office): Promise<void> {
  const withdraw = () => office.as('root', 'DELETE', '/api/v1/policies/watching');
  const request = /Request (\d+) was opened/.exec((await withdraw()).body.message)?.[1];
  await office.must('second', 'POST', `/api/v1/requests/${request}/approve`, {});
  await office.must('root', 'DELETE', '/api/v1/policies/watching');
}
