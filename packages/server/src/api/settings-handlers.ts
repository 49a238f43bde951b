import type { settingsEndpoints } from '@countersign/contract/settings-endpoints.ts';
import * as stageRemoval from '../features/stage-removal/stage-removal.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import type { Handlers } from './handlers.ts';

export const settingsHandlers: Handlers<(typeof settingsEndpoints)[number]['id']> = {
  getSettings: (ctx) => workspaces.getSettings(ctx),
  changeSettings: (ctx, { body }) => stageRemoval.changeSettings(ctx, body),
};
