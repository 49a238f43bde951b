import { checkPolicy, parsePolicy } from '@countersign/contract/policy-document.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalPolicy, policyHash } from './policy-hash-rules.ts';

const TEXT = `# four eyes
name: fraud
mode: enforce
match: {model: 'fraud-*', target: {stage: Production}}
requirements:
  approvals:
    - {group: risk, count: 2}
  metrics:
    - {name: accuracy, op: '>=', value: 0.92}
`;

describe('the hash of a policy', () => {
  it('is of the canonical form, which is on disk for ever', () => {
    const policy = parsePolicy(TEXT);
    expect(canonicalPolicy(policy)).toBe(
      '{"apply":"automatic","description":"","expiry":{"approval":"14d","request":"30d"},"freeze":[],"match":{"model":"fraud-*","tags":{},' +
        '"target":{"stage":"Production"}},"mode":"enforce","name":"fraud","on_refused":"refuse","requirements":{"approvals":[{"count":2,"group":"risk"}],' +
        '"checks":[],"count_person_in":"one","description":false,"exclude":["requester","version_creator"],"input_example":false,"metrics":[{"name":' +
        '"accuracy","op":">=","reported_by":"run","value":0.92}],"model_card_sections":[],"quiet_after_change":"7d","sealed":true,"self_approval":false,' +
        '"signature":false,"tags":[],"unlinked":"refuse"}}',
    );
    expect(policyHash(policy)).toBe('21572c815b37f838b55b0b9ee1a485cac0082d91641570c1aab5dade078eadec');
    expect(policyHash(policy)).toBe(policyHash(checkPolicy(JSON.parse(canonicalPolicy(policy)))));
  });

  it('stays the same under comments, spacing, the order of members, and defaults written out', () => {
    const flow = JSON.stringify(parsePolicy(TEXT), null, 3);
    expect(policyHash(parsePolicy(flow))).toBe(policyHash(parsePolicy(TEXT)));
    const members = [
      'name: fraud',
      'mode: "enforce"',
      "match: {target: {'stage': Production}, tags: {}, model: fraud-*}",
      'requirements: {metrics: [{value: 9.2e-1, op: ">=", name: accuracy}], approvals: [{count: 2, group: risk}], sealed: true}',
      'apply: automatic',
    ];
    fc.assert(
      fc.property(
        fc.shuffledSubarray(members, { minLength: members.length, maxLength: members.length }),
        fc.constantFrom('\n', '\n\n', ' # why\n', '\n# name: other\n'),
        (order, between) => {
          expect(policyHash(parsePolicy(order.join(between)))).toBe(policyHash(parsePolicy(TEXT)));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('changes with every word that means something', () => {
    const changes: readonly [string, string][] = [
      ['fraud\n', 'frauds\n'],
      ['enforce', 'warn'],
      ['fraud-*', 'fraud*'],
      ['Production', 'production'],
      ['risk', 'risks'],
      ['2}', '3}'],
      ['>=', '>'],
      ['0.92', '0.93'],
    ];
    const hashes = [TEXT, ...changes.map(([from, to]) => TEXT.replace(from, to))].map((text) => policyHash(parsePolicy(text)));
    expect(new Set(hashes).size).toBe(changes.length + 1);
  });
});
