/** The policy that holds for settings on which none was published. */
import type { Ctx } from '../../platform/context.ts';
import * as policies from '../policies/policies.ts';
import { DEFAULT_WORKSPACE_ID } from '../workspaces/workspaces.ts';

/** What holds for settings on which no policy is. */
const FALLBACK = `
name: settings
description: Another manager approves each change of the settings that approvals rest on.
mode: enforce
match: { target: { setting: '*' } }
requirements: { approvals: [{ level: MANAGE }] }
on_refused: open_request
`;

let fallback: Promise<policies.PublishedPolicy> | undefined;

export function fallbackPolicy(): Promise<policies.PublishedPolicy> {
  fallback ??= policies.readPolicy(FALLBACK).then((policy) => ({
    ...policy,
    source: FALLBACK,
    listedDigests: [],
    publishedAt: 0,
    publishedBy: 0,
    withdrawnAt: null,
    withdrawnBy: null,
  }));
  return fallback;
}

/** Undefined where settings are not governed yet. Those of the whole server are judged in the default workspace. */
export async function findFallback(ctx: Ctx): Promise<policies.PublishedPolicy | undefined> {
  const isEnforced =
    (await policies.getInForce(ctx)).isEnforced || (ctx.workspace.id === DEFAULT_WORKSPACE_ID && (await policies.hasEnforcedAnywhere(ctx)));
  return isEnforced ? fallbackPolicy() : undefined;
}
