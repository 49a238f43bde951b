/** What may be asked for, and whose level a change asks. Pure. */
import type { Level } from '@countersign/contract/levels.ts';
import { levelOfAlias, type Stages } from '@countersign/contract/stages.ts';

export type WishedTarget =
  | { readonly kind: 'stage'; readonly stage: string }
  | { readonly kind: 'alias'; readonly alias: string }
  | { readonly kind: 'tag'; readonly key: string; readonly value?: string | undefined }
  | { readonly kind: 'entry' }
  | { readonly kind: 'rename'; readonly newName: string };

export interface Wish {
  readonly target: WishedTarget;
  /** `leave`: the alias or tag is taken away; the version, or the model, is deleted. */
  readonly change?: 'enter' | 'leave' | undefined;
  readonly version?: number | undefined;
  readonly archiveExisting?: boolean | undefined;
  /** Also where it stands already: somebody asks why. */
  readonly isSame?: boolean | undefined;
  /** From where a new version would come. */
  readonly registration?:
    | {
        readonly source: string;
        readonly runId: string;
        readonly loggedModelId: string | undefined;
        readonly runLink: string;
        readonly description: string | undefined;
        readonly tags: readonly { readonly key: string; readonly value: string }[];
      }
    | undefined;
}

/** What the route of the same change asks; moves between stages ask by their stages. */
export function levelOf(
  stages: Stages,
  proposal: { readonly op: string; readonly alias?: string; readonly version?: number | null; readonly value?: string | null },
): Level {
  switch (proposal.op) {
    case 'alias':
      return (proposal.alias === undefined ? undefined : levelOfAlias(stages, proposal.alias)) ?? 'EDIT';
    case 'registration':
      return 'EDIT';
    case 'tag':
      // Who sets a tag of a version doesn't take one away.
      return proposal.value === null && typeof proposal.version === 'number' ? 'MANAGE' : 'EDIT';
    case 'rename':
      return 'MANAGE_PRODUCTION';
    default:
      return 'MANAGE';
  }
}
