/** Where a version has stood, from the events of places. Pure. */
import type { Admission } from '@countersign/contract/permit.ts';
import type { Stay } from '@countersign/contract/policy-facts.ts';

export interface PlaceEvent {
  readonly type: string;
  readonly target: string;
  readonly versionId: number | undefined;
  readonly recordedAt: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Events in which a version comes to a place. */
export const ENTERING = ['model-version.stage-entered', 'alias.set'];

/** Of one version at one place, oldest first. `digest`: of its bytes, which never change once they are sealed. */
export function staysAt(events: readonly PlaceEvent[], version: { readonly id: number; readonly digest: string | null }): readonly Stay[] {
  const stays: Stay[] = [];
  let here: Stay | undefined;
  for (const event of events) {
    const isOwn = event.versionId === version.id;
    const isEntering = ENTERING.includes(event.type);
    // An alias points at one version: it leaves by being set elsewhere.
    const leaves =
      event.type === 'alias.set'
        ? true
        : isOwn && (event.type === 'model-version.stage-left' || event.type === 'alias.deleted' || isEntering);
    if (here !== undefined && leaves) {
      stays.push({ ...here, until: event.recordedAt });
      here = undefined;
    }
    if (isOwn && isEntering) here = stayOf(event, version.digest);
  }
  return here === undefined ? stays : [...stays, here];
}

export function stayOf({ target, recordedAt, data }: PlaceEvent, digest: string | null): Stay {
  const isAlias = target.startsWith('alias:');
  return {
    place: isAlias ? 'alias' : 'stage',
    name: target.slice(target.indexOf(':') + 1),
    digest: data.sealed === true ? digest : null,
    from: recordedAt,
    until: null,
    admittedBy: admissionOf(data.admission),
  };
}

function admissionOf(word: unknown): Admission {
  return word === 'policy' || word === 'rollback' || word === 'break-glass' ? word : 'ungoverned';
}
