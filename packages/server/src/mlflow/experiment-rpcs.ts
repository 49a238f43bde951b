import type { Rpc } from './rpc.ts';

export const experimentRpcs: readonly Rpc[] = [];
