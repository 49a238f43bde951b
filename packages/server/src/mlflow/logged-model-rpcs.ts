import type { Rpc } from './rpc.ts';

export const loggedModelRpcs: readonly Rpc[] = [];
