import type { Rpc } from './rpc.ts';

export const versionRpcs: readonly Rpc[] = [];
