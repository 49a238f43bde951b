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

export interface Permit {
  readonly [permitMark]: true;
  readonly targets: readonly GovernedTarget[];
  /** The policy that allowed it, by hash; undefined while no policy matches. */
  readonly policy: string | undefined;
}
