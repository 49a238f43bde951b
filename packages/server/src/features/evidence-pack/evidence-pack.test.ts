import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { secretBox } from '../../../../../test/support/master-keys.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import { LocalBlobStore } from '../../platform/blobs/local-blob-store.ts';
import { type Ctx, systemClock } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import { accessIn, NO_OBJECT, setGrant } from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import * as administration from '../administration/administration.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as blocks from '../blocks/blocks.ts';
import * as checkpoints from '../checkpoints/checkpoints.ts';
import * as events from '../events/events.ts';
import * as groups from '../groups/groups.ts';
import * as models from '../models/models.ts';
import * as requests from '../requests/requests.ts';
import * as runs from '../runs/runs.ts';
import * as transitions from '../transitions/transitions.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import * as evidencePack from './evidence-pack.ts';
import { INDEX_FILE, type PackIndex, packStatement, policyDigest, SIGNATURE_FILE, sha256, signatureText } from './pack-rules.ts';
import { type PackVerdict, verifyPack } from './pack-verification.ts';
import { type PackFiles, readZip, zipFiles } from './pack-zip.ts';

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

const POLICY = `# Two eyes of risk.
name: fraud-production
mode: enforce
match: { model: fraud, target: { stage: Production } }
requirements:
  approvals: [{ group: risk }]
  checks: [{ name: ci/tests }]
`;

const ENTRY = `name: prod-entry
mode: enforce
match: { model: 'prod.*', target: { entry: true } }
requirements:
  approvals: [{ group: risk }]
`;

const CHECK = { name: 'ci/tests', externalId: 'run-1', status: 'completed', conclusion: 'success', summary: 'all green' } as const;

function rawKey(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(-32);
}

interface Person {
  readonly account: accounts.Account;
  readonly ctx: Ctx;
}

describe.each(['sqlite', 'postgres'] as const)('evidence packs on %s', (dialect) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-pack-'));
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  let ctx: Ctx;
  let maker: checkpoints.Checkpoints;
  let pack: Uint8Array;
  let kept: checkpoints.SignedCheckpoint | undefined;
  let policyHash = '';
  const people: Record<string, Person> = {};
  let now = 1_700_000_000_000;

  beforeAll(async () => {
    ctx = await openContext({
      blobs: new LocalBlobStore(join(folder, 'blobs')),
      clock: { ...systemClock, now: () => now++ },
      ...(dialect === 'sqlite' ? {} : { db: new PostgresDatabase(await cluster.createDatabase()) }),
    });
    const secrets = secretBox(join(folder, 'master.key'));
    maker = checkpoints.openCheckpoints({ secrets, givenKeys: { origin: 'a test', list: () => [privateKey] } });
    await meet();
    await models.create(ctx, { name: 'other', tags: [] });
    await register('other', 's3://bucket/other');
    kept = await maker.make(ctx);
    await models.create(ctx, { name: 'fraud', tags: [] });
    const run = await runs.create(ctx, { experimentId: 0, userId: '', startTime: 1, tags: [] });
    await runs.logMetric(ctx, run.info.runId, { key: 'accuracy', value: 0.97, timestamp: 1, step: 0 });
    const path = artifacts.storedPathOf(run.info.artifactUri) ?? '';
    await artifacts.put(ctx, `${path}/model/MLmodel`, Readable.from([Buffer.from('flavors: {}\n')]));
    await artifacts.put(ctx, `${path}/model/weights.bin`, Readable.from([Buffer.from('0123')]));
    await register('fraud', `runs:/${run.info.runId}/model`, run.info.runId, '<script>alert(1)</script> & "quotes"');
    await register('fraud', 's3://bucket/second');
    policyHash = await release();
    await transitions.setAlias(ctx, 'fraud', 'champion', 1);
    await transitions.setAlias(ctx, 'fraud', 'champion', 2);
    await maker.make(ctx);
    await transitions.setAlias(ctx, 'other', 'champion', 1);
    pack = await evidencePack.build(ctx, maker, 'fraud', 1);
  }, 60_000);
  afterAll(async () => {
    await ctx.db.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function register(name: string, source: string, runId = '', description?: string): Promise<ModelVersion> {
    return transitions.registerVersion(people.second?.ctx ?? ctx, {
      name,
      source,
      runId,
      loggedModelId: undefined,
      runLink: '',
      description,
      tags: [{ key: 'team', value: 'risk' }],
    });
  }

  async function meet(): Promise<void> {
    for (const name of ['root', 'second', 'alice', 'bob']) {
      const isAdmin = name === 'root' || name === 'second';
      const account = await accounts.createUser(ctx, { name, isAdmin });
      const everywhere = { workspaceId: 0, kind: 'registered-model', objectId: NO_OBJECT, prefix: '' } as const;
      if (!isAdmin) await setGrant(ctx, { subjectKind: 'principal', subjectId: account.id, ...everywhere }, 'MANAGE_PRODUCTION');
      people[name] = {
        account,
        ctx: { ...ctx, principal: { id: account.id, kind: 'user', name }, access: await accessIn(ctx, account, 0) },
      };
    }
  }

  function as(name: string): Person {
    const found = people[name];
    if (found === undefined) throw new TypeError(`there is no ${name}`);
    return found;
  }

  /** Version 1 is asked for, checked, approved and so moved to Production. */
  async function release(): Promise<string> {
    const risk = await groups.create(ctx, { name: 'risk', workspaceId: groups.SERVER_WIDE });
    await groups.addMember(ctx, risk, as('bob').account, groups.DIRECT);
    const texts = [POLICY, ENTRY].map((text) => ({ text, listedDigests: [] }));
    const published = await requests.replacePolicies(as('root').ctx, { published: texts, withdrawn: [] });
    const wish = { target: { kind: 'stage', stage: 'Production' }, version: 1 } as const;
    const request = await requests.create(as('alice').ctx, 'fraud', wish, 'please');
    await requests.reportCheck(as('root').ctx, 'fraud', 1, CHECK);
    expect(await requests.approve(as('bob').ctx, request.id, { comment: 'looks good' })).toMatchObject({ state: 'approved' });
    return published.find(({ document }) => document.name === 'fraud-production')?.hash ?? '';
  }

  const filesOf = (bytes: Uint8Array): PackFiles => readZip(bytes).files ?? new Map();
  const textOf = (bytes: Uint8Array, path: string): string => Buffer.from(filesOf(bytes).get(path) ?? []).toString('utf8');
  const indexOf = (bytes: Uint8Array): PackIndex => JSON.parse(textOf(bytes, INDEX_FILE)) as PackIndex;
  const faultOf = async (bytes: Uint8Array, expected?: Parameters<typeof verifyPack>[1]): Promise<PackVerdict['fault']> =>
    (await verifyPack(bytes, expected)).fault;

  /** Whoever has the key can sign anything; what he says must still fit together. */
  function signedAgain(changes: Readonly<Record<string, string | undefined>>, change: Partial<PackIndex> = {}): Uint8Array {
    const files = new Map([...filesOf(pack)].filter(([path]) => path !== INDEX_FILE && path !== SIGNATURE_FILE));
    for (const [path, text] of Object.entries(changes)) {
      if (text === undefined) files.delete(path);
      else files.set(path, Buffer.from(text));
    }
    const index = {
      ...indexOf(pack),
      files: [...files].map(([path, bytes]) => ({ path, sha256: sha256(bytes), size: bytes.length })),
      ...change,
    };
    const bytes = Buffer.from(JSON.stringify(index));
    const keyId = checkpoints.keyIdOf(index.server, rawKey(publicKey));
    const signature = signatureText({ keyId, signature: sign(null, packStatement(bytes), privateKey) });
    return zipFiles(new Map([[INDEX_FILE, bytes], [SIGNATURE_FILE, Buffer.from(signature)], ...files]));
  }

  it('verify by themselves, and by the key that somebody trusts', async () => {
    const verdict = await verifyPack(pack, { trustedKey: rawKey(publicKey) });
    expect(verdict.fault).toBeUndefined();
    expect(verdict.index).toMatchObject({
      model: { name: 'fraud' },
      version: { number: 1 },
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(verdict.events).toBeGreaterThan(10);
    const { publicKey: stranger } = generateKeyPairSync('ed25519');
    expect(await faultOf(pack, { trustedKey: rawKey(stranger) })).toMatchObject({
      file: 'pack.sig',
      reason: expect.stringContaining('trust'),
    });
  });

  it('are the same bytes as long as nothing happens', async () => {
    expect(Buffer.from(await evidencePack.build(ctx, maker, 'fraud', 1)).equals(pack)).toBe(true);
  });

  it('hold what the version is, who approved it, under which words, and where it stood', async () => {
    const files = [...filesOf(pack).keys()];
    expect(files).toEqual(
      expect.arrayContaining([
        'manifest.json',
        'lineage.json',
        'evidence.json',
        'people.json',
        `policies/${policyHash}.json`,
        `policies/${policyHash}.yaml`,
      ]),
    );
    expect(JSON.parse(textOf(pack, 'manifest.json')).map((entry: { path: string }) => entry.path)).toEqual(['MLmodel', 'weights.bin']);
    expect(textOf(pack, `policies/${policyHash}.yaml`)).toBe(POLICY);
    expect(policyDigest(textOf(pack, `policies/${policyHash}.json`))).toBe(policyHash);
    const { requests: asked, approvals, decisions } = JSON.parse(textOf(pack, 'approvals.json'));
    expect(asked).toContainEqual(expect.objectContaining({ comment: 'please', state: 'applied' }));
    expect(approvals).toEqual([
      expect.objectContaining({
        comment: 'looks good',
        policies: [policyHash],
        digest: indexOf(pack).digest,
        evidence: indexOf(pack).evidence,
      }),
    ]);
    expect(decisions).toEqual([
      expect.objectContaining({
        target: 'stage:Production',
        admission: 'policy',
        decision: [expect.objectContaining({ isAllowed: true })],
      }),
    ]);
    expect(JSON.parse(textOf(pack, 'checks.json'))).toEqual([
      expect.objectContaining({ name: 'ci/tests', conclusion: 'success', summary: 'all green' }),
    ]);
    const types = textOf(pack, 'events.jsonl')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(JSON.parse(line).body).type);
    expect(types).toEqual(
      expect.arrayContaining(['registered-model.created', 'model-version.created', 'alias.set', 'model-version.stage-entered']),
    );
    // Neither the other model's events nor what the other version is.
    expect(types.filter((type) => type === 'registered-model.created')).toHaveLength(1);
    expect(types.filter((type) => type === 'model-version.created')).toHaveLength(1);
    expect(types.filter((type) => type === 'alias.set')).toHaveLength(2);
  });

  it('have a page in which nothing that people wrote is markup', () => {
    const card = textOf(pack, 'model-card.html');
    expect(card).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot;');
    expect(card).not.toMatch(/<script|<img|<link|\son\w+=|https?:|url\(/);
    for (const words of [
      'fraud, version 1',
      'ci/tests',
      'all green',
      'accuracy',
      '0.97',
      'looks good',
      'alice',
      'bob',
      '# Two eyes of risk.',
      policyHash,
    ])
      expect(card).toContain(words);
    for (const words of ['prefers-color-scheme: dark', '@media print', "default-src 'none'"]) expect(card).toContain(words);
  });

  it('name a file that was flipped, dropped or added', async () => {
    const files = filesOf(pack);
    for (const [path, bytes] of files) {
      const flipped = Buffer.from(bytes);
      flipped[flipped.length >> 1] = (flipped[flipped.length >> 1] ?? 0) ^ 1;
      const fault = await faultOf(zipFiles(new Map([...files, [path, flipped]])));
      const isOfSignature = path === INDEX_FILE || path === SIGNATURE_FILE;
      expect([path, isOfSignature ? fault !== undefined : fault?.file]).toEqual([path, isOfSignature ? true : path]);
      expect(await faultOf(zipFiles(new Map([...files].filter(([each]) => each !== path))))).toEqual({ file: path, reason: 'is missing' });
    }
    const added = await faultOf(zipFiles(new Map([...files, ['more.json', Buffer.from('{}')]])));
    expect(added).toMatchObject({ file: 'more.json', reason: expect.stringContaining('added') });
  });

  it('show every flipped byte, wherever in the zip it is', async () => {
    for (let at = 0; at < pack.length; at += Math.ceil(pack.length / 200)) {
      const flipped = Buffer.from(pack);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      expect([at, (await faultOf(flipped)) !== undefined]).toEqual([at, true]);
    }
    expect(await faultOf(pack.subarray(0, pack.length - 1))).toMatchObject({ file: 'the zip' });
    expect(await faultOf(Buffer.concat([pack, Buffer.of(0)]))).toMatchObject({ file: 'the zip' });
    expect(await faultOf(Buffer.from('PK nothing'))).toMatchObject({ file: 'the zip' });
  });

  it('say so where another key signed, and where the signature is of other words', async () => {
    const files = filesOf(pack);
    const { privateKey: other } = generateKeyPairSync('ed25519');
    const index = Buffer.from(files.get(INDEX_FILE) ?? []);
    const keyId = textOf(pack, SIGNATURE_FILE).split(' ')[1] ?? '';
    for (const signature of [sign(null, packStatement(index), other), sign(null, index, privateKey)]) {
      const forged = zipFiles(new Map([...files, [SIGNATURE_FILE, Buffer.from(signatureText({ keyId, signature }))]]));
      expect(await faultOf(forged)).toMatchObject({ file: SIGNATURE_FILE });
    }
  });

  /** The other half is in the salt. */
  function withHalfOfText(line: string): string {
    const { texts, ...event } = JSON.parse(line) as { texts: Record<string, { salt: string; text: string }> };
    const { comment } = texts;
    if (comment === undefined) return line;
    const salt = comment.salt + Buffer.from(comment.text.slice(0, 1)).toString('hex');
    return JSON.stringify({ ...event, texts: { ...texts, comment: { salt, text: comment.text.slice(1) } } });
  }

  it('do not hold together where whoever has the key changes what they say', async () => {
    expect(await faultOf(signedAgain({}))).toBeUndefined();
    const lines = textOf(pack, 'events.jsonl').trim().split('\n');
    const [first = '', second = ''] = lines;
    const event = JSON.parse(second) as { proof: string[]; body: string; seq: number };
    const withEvents = (...changed: string[]): string => changed.map((line) => `${line}\n`).join('');
    const events_ = 'events.jsonl';
    const last = indexOf(pack).checkpoint.split('.')[2] ?? '';
    const foreign = await checkpoints.proveInclusion(ctx, Number(last));
    const [excerpted] = await events.listExcerpt(ctx.db, [Number(last)]);
    const other = JSON.stringify({ ...excerpted, proof: foreign.hashes.map((hash) => hash.toString('base64')) });
    const cases: readonly [Readonly<Record<string, string | undefined>>, string, string][] = [
      [
        { [events_]: withEvents(first, JSON.stringify({ ...event, proof: event.proof.slice(1) }), ...lines.slice(2)) },
        events_,
        'not under the checkpoint',
      ],
      [{ [events_]: withEvents(first, second.replace('number', 'numbre'), ...lines.slice(2)) }, events_, 'does not follow from its body'],
      [{ [events_]: withEvents(second, first, ...lines.slice(2)) }, events_, 'stands behind event'],
      [{ [events_]: withEvents(...lines.map((line) => line.replace('please', 'pleese'))) }, events_, "its text 'comment'"],
      [{ [events_]: withEvents(...lines.map(withHalfOfText)) }, events_, "its text 'comment'"],
      [{ [events_]: withEvents(...lines, other) }, events_, 'not about this version'],
      [{ 'manifest.json': textOf(pack, 'manifest.json').replace('weights', 'weihgts') }, 'manifest.json', 'was sealed with'],
      [
        { [`policies/${policyHash}.json`]: textOf(pack, `policies/${policyHash}.json`).replace('risk', 'rusk') },
        `policies/${policyHash}.json`,
        'another policy',
      ],
      [{ [`policies/${policyHash}.yaml`]: POLICY.replace('group: risk', 'group: rusk') }, `policies/${policyHash}.yaml`, 'something else'],
      [{ [`policies/${policyHash}.json`]: undefined }, `policies/${policyHash}.json`, 'is missing'],
      [{ 'approvals.json': textOf(pack, 'approvals.json').replace('please', 'do it') }, 'approvals.json', 'than the events do'],
      [{ 'checks.json': '[]' }, 'checks.json', 'than the events do'],
      [{ 'evidence.json': textOf(pack, 'evidence.json').replace('0.97', '0.99') }, 'evidence.json', 'has the digest'],
    ];
    for (const [changes, file, reason] of cases)
      expect(await faultOf(signedAgain(changes))).toEqual({ file, reason: expect.stringContaining(reason) });
    const otherDigest = await faultOf(signedAgain({}, { digest: '0'.repeat(64) }));
    expect(otherDigest).toMatchObject({ file: INDEX_FILE, reason: expect.stringContaining('the events say') });
  });

  it('go on from a checkpoint that was kept, and say so where they do not', async () => {
    if (kept === undefined) throw new TypeError('there is one');
    expect(await faultOf(pack, { kept: [kept] })).toBeUndefined();
    const newest = checkpoints.readCheckpoint(indexOf(pack).checkpoint);
    if (newest === undefined) throw new TypeError('there is one');
    expect(await faultOf(pack, { kept: [newest] })).toBeUndefined();
    expect(await faultOf(pack, { kept: [{ ...kept, root: Buffer.alloc(32) }] })).toMatchObject({
      reason: expect.stringContaining('another record'),
    });
    expect(await faultOf(pack, { kept: [{ ...kept, size: kept.size - 1 }] })).toMatchObject({ reason: expect.stringContaining('--since') });
    expect(await faultOf(pack, { kept: [{ ...kept, size: newest.size + 9 }] })).toMatchObject({
      reason: expect.stringContaining('before'),
    });
    const { earlier } = JSON.parse(textOf(await evidencePack.build(ctx, maker, 'fraud', 1, { since: kept.size }), 'checkpoints.json'));
    expect(earlier[0].line).toBe(checkpoints.checkpointLine(kept));
    await expect(evidencePack.build(ctx, maker, 'fraud', 1, { since: 1 })).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
  });

  it('are made of versions that are not sealed, and of prompts', async () => {
    const unsealed = await evidencePack.build(ctx, maker, 'fraud', 2);
    expect(await verifyPack(unsealed)).toMatchObject({ fault: undefined, index: { digest: null } });
    expect(filesOf(unsealed).has('manifest.json')).toBe(false);
    const prompt = [{ key: models.PROMPT_TAG, value: 'true' }];
    await models.create(ctx, { name: 'greeting', tags: prompt });
    await transitions.registerVersion(ctx, {
      name: 'greeting',
      source: 'dummy-source',
      runId: '',
      loggedModelId: undefined,
      runLink: '',
      description: undefined,
      tags: [...prompt, { key: 'mlflow.prompt.text', value: 'Hello, {{name}}!' }],
    });
    const { digest } = indexOf(await evidencePack.build(ctx, maker, 'greeting', 1));
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await faultOf(await evidencePack.build(ctx, maker, 'greeting', 1))).toBeUndefined();
    expect((await versions.get(ctx, 'greeting', 1)).sealState).toBe('sealed');
  });

  it('tell of what entered a model why that was let in, and nothing of what else did', async () => {
    await models.create(as('second').ctx, { name: 'prod.fraud', tags: [] });
    const ask = async (source: string, comment: string): Promise<void> => {
      const registration = { source, runId: '', loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
      const request = await requests.create(as('alice').ctx, 'prod.fraud', { target: { kind: 'entry' }, registration }, comment);
      expect(await requests.approve(as('bob').ctx, request.id, { comment: `yes to ${comment}` })).toMatchObject({ state: 'approved' });
    };
    await ask('models:/fraud/1', 'the first');
    await ask('models:/fraud/1', 'the second');
    for (const [number, comment] of [
      [1, 'the first'],
      [2, 'the second'],
    ] as const) {
      const entered = await evidencePack.build(ctx, maker, 'prod.fraud', number);
      expect(await faultOf(entered)).toBeUndefined();
      const { requests: asked, approvals, decisions } = JSON.parse(textOf(entered, 'approvals.json'));
      expect(asked).toEqual([expect.objectContaining({ comment, target: 'entry' })]);
      expect(approvals).toEqual([expect.objectContaining({ comment: `yes to ${comment}`, digest: indexOf(entered).digest })]);
      expect(decisions).toEqual([expect.objectContaining({ target: 'entry', admission: 'policy' })]);
    }
  });

  it('verify without a text that was erased, and say which bytes are blocked', async () => {
    const approved = textOf(pack, 'events.jsonl')
      .split('\n')
      .map((line) => (line === '' ? undefined : (JSON.parse(line) as { seq: number; body: string })))
      .find((event) => event?.body.includes('"request.approved"'));
    await administration.eraseEventText(ctx, approved?.seq ?? 0, 'comment');
    await blocks.block(as('root').ctx, indexOf(pack).digest ?? '', 'leaks data');
    const later = await evidencePack.build(ctx, maker, 'fraud', 1);
    expect(await faultOf(later)).toBeUndefined();
    expect(JSON.parse(textOf(later, 'approvals.json')).approvals).toEqual([expect.objectContaining({ comment: null })]);
    expect(JSON.parse(textOf(later, 'version.json'))).toMatchObject({ blocked: { reason: 'leaks data' } });
    expect(textOf(later, 'model-card.html')).toContain('leaks data');
    expect(textOf(later, 'model-card.html')).not.toContain('looks good');
  });

  it('verify after the key was replaced, by the new key and by the old', async () => {
    const { privateKey: next, publicKey: nextPublic } = generateKeyPairSync('ed25519');
    const rotated = checkpoints.openCheckpoints({
      secrets: secretBox(join(folder, 'master.key')),
      givenKeys: { origin: 'a test', list: () => [next, privateKey] },
    });
    const later = await evidencePack.build(ctx, rotated, 'fraud', 1);
    for (const key of [publicKey, nextPublic]) expect(await faultOf(later, { trustedKey: rawKey(key) })).toBeUndefined();
    expect(textOf(later, SIGNATURE_FILE)).not.toBe(textOf(pack, SIGNATURE_FILE));
  });
});
