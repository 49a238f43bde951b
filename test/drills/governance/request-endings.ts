/** How requests end by themselves: by time, or since a newer version took the place that they are about. */
import { type Act, ms } from './acts.ts';
import type { PlaceChange } from './place-changes.ts';
import { policiesOf, wordsOf } from './policy-choice.ts';
import type { Seen, SeenRequest } from './seen.ts';

/** A change with what let it in. */
export interface Admitted {
  readonly change: PlaceChange;
  readonly how: string | undefined;
}

export interface EndingCounts {
  superseded: number;
  expired: number;
}

/** What of that is not as the policies have it. */
export function wrongEndings(act: Act, before: Seen, after: Seen, admitted: readonly Admitted[], counts: EndingCounts): readonly string[] {
  const wrong: string[] = [];
  for (const request of after.requests.values()) {
    const then = before.requests.get(request.id);
    if (then === undefined) wrong.push(...wrongTerm(before, after, request));
    if ((then?.state ?? 'open') !== 'open') continue;
    const words = `request ${request.id} (${request.about} ${request.subject})`;
    if (request.state === 'superseded') {
      counts.superseded++;
      const isByAnother = admitted.some((each) => isOvertaken(after, request, each)) || hasComeAgain(before, after, request);
      if (!isByAnother) wrong.push(`${words} was superseded by nothing`);
    }
    if (request.state === 'expired') {
      counts.expired++;
      if (request.expiresAt === null || act.until < request.expiresAt) wrong.push(`${words} expired before its time`);
    }
    if (request.state !== 'open') continue;
    if (act.kind === 'sweep' && request.expiresAt !== null && request.expiresAt < act.at) wrong.push(`${words} is open after its time`);
    const by = admitted.find(
      (each) => each.how === 'policy' && act.kind !== 'rollback' && hasCome(each) && isOvertaken(after, request, each),
    );
    if (by !== undefined) wrong.push(`${words} is open, though version ${by.change.version?.number} took its place`);
  }
  return wrong;
}

/** A newer version was asked for what it has already, and that was approved: nothing shows in the tables. */
function hasComeAgain(before: Seen, after: Seen, request: SeenRequest): boolean {
  const numberOf = ({ version }: SeenRequest): number => after.versions.get(version ?? -1)?.number ?? 0;
  return [...after.requests.values()].some(
    (each) =>
      each.model === request.model &&
      each.target === request.target &&
      each.state === 'approved' &&
      before.requests.get(each.id)?.state === 'open' &&
      numberOf(each) > numberOf(request) &&
      policiesOf(before, each.workspace).some(({ document }) => document.supersedes === 'older'),
  );
}

/** Not for what stays where it is, and is only judged there anew. */
function hasCome({ change: { asked, place } }: Admitted): boolean {
  return asked.some(([, subject]) => subject === wordsOf(place));
}

/** By a newer version of the model, which a policy let into the place that the request is about, and that policy says so. */
function isOvertaken(after: Seen, request: SeenRequest, { change }: Admitted): boolean {
  const { version, place, direction, policies } = change;
  const asker = request.version === null ? undefined : after.versions.get(request.version);
  return (
    version !== undefined &&
    asker !== undefined &&
    direction === 'enter' &&
    request.change === 'enter' &&
    request.target === wordsOf(place) &&
    asker.model === version.model &&
    asker.number < version.number &&
    policies.some(({ document }) => document.supersedes === 'older')
  );
}

/** It lasts as long as one of the policies of that moment says; for ever where none is about it. */
function wrongTerm(before: Seen, after: Seen, { id, workspace, createdAt, expiresAt }: SeenRequest): readonly string[] {
  if (expiresAt === null) return [];
  const terms = [before, after].flatMap((seen) => policiesOf(seen, workspace)).map(({ document }) => ms(document.expiry.request));
  // Of settings without a policy: as long as anything that says nothing else.
  return [...terms, ms('30d')].includes(expiresAt - createdAt) ? [] : [`request ${id} has a term that no policy gives`];
}
