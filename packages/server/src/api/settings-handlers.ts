import type { settingsEndpoints } from '@countersign/contract/settings-endpoints.ts';
import { canonicalStage } from '@countersign/contract/stages.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import type { Handlers } from './handlers.ts';

export const settingsHandlers: Handlers<(typeof settingsEndpoints)[number]['id']> = {
  getSettings: (ctx) => workspaces.getSettings(ctx),
  changeSettings: (ctx, { body }) => {
    const { protected_stages: stages, ...rest } = body;
    return workspaces.changeSettings(ctx, { ...rest, ...(stages === undefined ? {} : { protected_stages: stages.map(canonicalStage) }) });
  },
};
