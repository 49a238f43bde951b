/** How a workspace is set up: read and change. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { NO_PARAMS } from './schemas.ts';
import { SettingsSchema } from './settings.ts';

export const settingsEndpoints = [
  endpoint({
    id: 'getSettings',
    noun: 'settings',
    method: 'GET',
    path: '/api/v1/settings',
    permission: 'settings.read',
    summary: 'The settings of the workspace.',
    params: NO_PARAMS,
    output: SettingsSchema,
  }),
  endpoint({
    id: 'changeSettings',
    noun: 'settings',
    method: 'PATCH',
    path: '/api/v1/settings',
    permission: 'settings.edit',
    summary: 'Change some settings of the workspace.',
    description: 'Each change is an event. What is left out stays as it is.',
    params: NO_PARAMS,
    body: Type.Partial(SettingsSchema, { additionalProperties: false }),
    output: SettingsSchema,
  }),
] as const;
