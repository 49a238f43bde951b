/**
 * Proof that a change of a governed target was allowed. Only the transitions room can make one (an architecture test holds it);
 * the rooms below demand it as an argument, so no route can go around the door.
 */
declare const permitMark: unique symbol;

export type GovernedTarget =
  | { readonly kind: 'stage'; readonly stage: string }
  | { readonly kind: 'alias'; readonly alias: string }
  | { readonly kind: 'entry' }
  | { readonly kind: 'tag'; readonly key: string }
  | { readonly kind: 'setting'; readonly setting: string };

/** What let a change happen. `ungoverned`: no policy in enforce did. */
export type Admission = 'policy' | 'rollback' | 'break-glass' | 'ungoverned';

export interface Permit {
  readonly [permitMark]: true;
  readonly targets: readonly GovernedTarget[];
  /** Hashes of the policies that were asked; empty where none matches. */
  readonly policies: readonly string[];
  readonly admission: Admission;
}

/** What an event says of the permit that it happened under; nothing where nobody had to be asked. */
export function permitFacts({ policies, admission }: Permit): { policies?: readonly string[]; admission?: Admission } {
  return policies.length === 0 && admission === 'ungoverned' ? {} : { policies, admission };
}
