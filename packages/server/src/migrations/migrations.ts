import type { Migration } from '../platform/db/migrate.ts';
import { ground } from './0001-ground.ts';
import { search } from './0002-search.ts';
import { webhooks } from './0003-webhooks.ts';
import { access } from './0004-access.ts';
import { encryption } from './0005-encryption.ts';
import { signIn } from './0006-sign-in.ts';
import { checkpoints } from './0007-checkpoints.ts';
import { requests } from './0008-requests.ts';
import { policies } from './0009-policies.ts';
import { checks } from './0010-checks.ts';
import { evidence } from './0011-evidence.ts';
import { exceptions } from './0012-exceptions.ts';
import { people } from './0013-people.ts';
import { inbox } from './0015-inbox.ts';
import { lineage } from './0018-lineage.ts';
import { askers } from './0019-askers.ts';
import { origins } from './0023-origins.ts';
import { purged } from './0024-purged.ts';

/** In order; never edited after a release. */
export const migrations: readonly Migration[] = [
  ground,
  search,
  webhooks,
  access,
  encryption,
  signIn,
  checkpoints,
  requests,
  policies,
  checks,
  evidence,
  exceptions,
  people,
  inbox,
  lineage,
  askers,
  origins,
  purged,
];
