import type { settingsEndpoints } from '@countersign/contract/settings-endpoints.ts';
import { canonicalStage } from '@countersign/contract/stages.ts';
import * as access from '../features/access/access.ts';
import type { Handlers } from './handlers.ts';

export const settingsHandlers: Handlers<(typeof settingsEndpoints)[number]['id']> = {
  getSettings: (ctx) => access.getSettings(ctx),
  changeSettings: (ctx, { body }) => {
    const { protected_stages: stages, ...rest } = body;
    return access.changeSettings(ctx, { ...rest, ...(stages === undefined ? {} : { protected_stages: stages.map(canonicalStage) }) });
  },
};
