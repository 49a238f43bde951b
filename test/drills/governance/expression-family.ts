/** Expressions of a drill's policies: each as CEL, and as the same thing said once more for the oracle. */
export interface ExpressionFacts {
  readonly tags: ReadonlyMap<string, string>;
  readonly description: string | null;
  readonly accuracy: number | undefined;
  readonly isVerified: boolean;
  readonly hasSignature: boolean;
  /** Names of accounts. */
  readonly registeredBy: string | undefined;
  readonly requesters: readonly (string | undefined)[];
  readonly standing: number;
  /** Of the newest report of the check that counts. */
  readonly isTestGreen: boolean;
}

interface Expression {
  readonly that: string;
  readonly holds: (facts: ExpressionFacts) => boolean;
}

export const EXPRESSIONS: Readonly<Record<string, Expression>> = {
  noted: { that: '"note" in version.tags', holds: ({ tags }) => tags.has('note') },
  'noted as gold': { that: 'version.tags["note"] == "gold"', holds: ({ tags }) => tags.get('note') === 'gold' },
  accurate: { that: 'version.metrics["accuracy"] >= 0.93', holds: ({ accuracy }) => (accuracy ?? 0) >= 0.93 },
  'from its run': { that: 'version.lineage == "verified"', holds: ({ isVerified }) => isVerified },
  'not by mallory': {
    that: 'version.registered_by != "mallory" && requesters.all(name, name != "mallory")',
    holds: ({ registeredBy, requesters }) => registeredBy !== 'mallory' && !requesters.includes('mallory'),
  },
  'there is room': { that: 'size(standing) == 0', holds: ({ standing }) => standing === 0 },
  'signed or tested': {
    that: 'version.has_signature || ("ci/tests" in checks && checks["ci/tests"].conclusion == "success")',
    holds: ({ hasSignature, isTestGreen }) => hasSignature || isTestGreen,
  },
};
