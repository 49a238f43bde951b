/** What the guides show as typed and answered is typed here, and answered so. */
import { describe, it } from 'vitest';
import type { Office } from '../support/governed-office.ts';
import { openGuideOffice, play } from '../support/guide-office.ts';

/** What is in force where the guide begins. */
const FRAUD = `
name: fraud-production
mode: enforce
match: { model: 'fraud-*', target: { stage: Production } }
requirements:
  approvals: [{ group: risk, count: 2 }]
  checks: [{ name: ci/tests }]
  metrics: [{ name: accuracy, op: '>=', current: { tolerance: 0.01 } }]
  description: true
on_refused: open_request
`;

/** Version 2 of fraud-cards gets there. */
async function sign(office: Office): Promise<void> {
  const target = { kind: 'stage', stage: 'Production' };
  const asked = await office.must('alice', 'POST', '/api/v1/models/fraud-cards/versions/2/requests', { target, archive_existing: true });
  const check = { name: 'ci/tests', external_id: '1', status: 'completed', conclusion: 'success' };
  await office.must('ci', 'POST', '/api/v1/models/fraud-cards/versions/2/checks', check);
  for (const who of ['bob', 'carol']) await office.must(who, 'POST', `/api/v1/requests/${asked.id}/approve`, {});
}

const GUIDES: readonly (readonly [path: string, ...inForce: string[]])[] = [
  ['README.md'],
  ['docs/guides/reviewers.md', FRAUD],
  ['docs/guides/governing.md'],
  ['docs/guides/auditing.md', FRAUD],
];

describe('what is shown as typed and answered in', () => {
  it.each(GUIDES)('%s', { timeout: 300_000 }, async (path, ...inForce) => {
    const office = await openGuideOffice();
    try {
      if (inForce.length > 0) await office.publish(...inForce);
      if (path.endsWith('auditing.md')) await sign(office);
      await play(office, path);
    } finally {
      await office.close();
    }
  });
});
