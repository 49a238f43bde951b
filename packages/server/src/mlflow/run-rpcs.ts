import type { Rpc } from './rpc.ts';

export const runRpcs: readonly Rpc[] = [];
