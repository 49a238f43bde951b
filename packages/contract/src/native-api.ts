/** Every endpoint of the native API. An entry here without a handler doesn't compile. */
import { accountEndpoints } from './accounts.ts';
import { blockEndpoints } from './blocks.ts';
import { breakGlassEndpoints } from './break-glass.ts';
import { checkpointEndpoints } from './checkpoints.ts';
import { checkEndpoints } from './checks.ts';
import { ciIdentityEndpoints } from './ci-identities.ts';
import { ciTrustEndpoints } from './ci-trusts.ts';
import { commentEndpoints } from './comments.ts';
import { comparisonEndpoints } from './comparisons.ts';
import { eventEndpoints } from './events.ts';
import { evidenceEndpoints } from './evidence.ts';
import { evidencePackEndpoints } from './evidence-packs.ts';
import { grantEndpoints } from './grants.ts';
import { groupEndpoints } from './groups.ts';
import { inboxEndpoints } from './inbox.ts';
import { lineageEndpoints } from './lineage.ts';
import { modelEndpoints } from './models.ts';
import { namedPermissionEndpoints } from './named-permissions.ts';
import { policyEndpoints } from './policy-endpoints.ts';
import { requestEndpoints } from './requests.ts';
import { settingsEndpoints } from './settings-endpoints.ts';
import { signInEndpoints } from './sign-in.ts';
import { tokenEndpoints } from './tokens.ts';
import { transitionEndpoints } from './transitions.ts';
import { versionEndpoints } from './versions.ts';
import { webhookEndpoints } from './webhooks.ts';
import { workspaceEndpoints } from './workspaces.ts';

export const endpoints = [
  ...modelEndpoints,
  ...versionEndpoints,
  ...transitionEndpoints,
  ...requestEndpoints,
  ...policyEndpoints,
  ...commentEndpoints,
  ...inboxEndpoints,
  ...checkEndpoints,
  ...blockEndpoints,
  ...breakGlassEndpoints,
  ...evidenceEndpoints,
  ...comparisonEndpoints,
  ...lineageEndpoints,
  ...evidencePackEndpoints,
  ...eventEndpoints,
  ...checkpointEndpoints,
  ...settingsEndpoints,
  ...workspaceEndpoints,
  ...accountEndpoints,
  ...ciIdentityEndpoints,
  ...groupEndpoints,
  ...tokenEndpoints,
  ...grantEndpoints,
  ...namedPermissionEndpoints,
  ...signInEndpoints,
  ...ciTrustEndpoints,
  ...webhookEndpoints,
] as const;

export type AnyEndpoint = (typeof endpoints)[number];
export type EndpointId = AnyEndpoint['id'];
export type EndpointOf<Id extends EndpointId> = Extract<AnyEndpoint, { readonly id: Id }>;
