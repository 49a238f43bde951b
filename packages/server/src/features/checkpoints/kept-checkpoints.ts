/** Checkpoints as they are kept, read back. */
import { type Ctx, reading } from '../../platform/context.ts';
import * as events from '../events/events.ts';
import type { SignedCheckpoint } from './checkpoint-rules.ts';
import type { CheckpointRow } from './checkpoint-store.ts';

export function shown({ frontier: _ofTheStore, ...row }: CheckpointRow, serverId: string): SignedCheckpoint {
  return { ...row, serverId };
}

export async function serverIdOf(ctx: Ctx): Promise<string> {
  return (await events.findEnd(reading(ctx))).serverId;
}
