/** What the oracle of a drill is told of each step. */
import type { Level } from '@countersign/contract/levels.ts';

export interface Identity {
  readonly id: number;
  readonly name: string;
  readonly kind: 'user' | 'service' | 'ci' | 'local';
  /** The account of who stands behind it, where that is known: of a service account its owner, who may change. */
  readonly person: number | undefined;
}

/** What somebody did, as far as the ledger must know. */
export interface Act {
  readonly kind: string;
  readonly by: Identity;
  /** When it began, and when it had ended: the clock moves with every look at it. */
  readonly at: number;
  readonly until: number;
  /** Of the request that is approved. */
  readonly approves?: number;
  /** Whether he has that level on a model. */
  readonly has?: (model: { readonly id: number; readonly name: string }, level: Level) => boolean;
  /** What he was told that a policy would refuse. */
  readonly warnings?: readonly string[];
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

export function ms(text: string): number {
  return Number.parseInt(text, 10) * (UNITS[text.slice(-1)] ?? 0);
}
