import type { Rpc } from './rpc.ts';

export const modelRpcs: readonly Rpc[] = [];
