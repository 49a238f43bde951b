/**
 * What routes ask of their callers: each declares one of these, or it doesn't compile. `on` says what the level is needed on, and so which
 * members of the request name it; `asks` is what a token's scope must allow.
 */
import type { Level } from './levels.ts';

export interface PermissionRule {
  /**
   * `nobody`: answered to anybody · `account`: whoever is signed in · `workspace`: members of the workspace; what they see is up to their scope ·
   * the others: the level on that object.
   */
  readonly on:
    | 'nobody'
    | 'account'
    | 'server'
    | 'workspace'
    | 'workspace-manager'
    | 'creator'
    | 'experiment'
    | 'run'
    | 'logged-model'
    | 'registered-model'
    | 'artifact';
  readonly level?: Level;
  readonly asks: 'nothing' | 'read' | 'write' | 'admin';
}

export const PERMISSIONS = {
  public: { on: 'nobody', asks: 'nothing' },
  /** Asking who one is: for a token of whatever scope. */
  'account.self': { on: 'account', asks: 'nothing' },
  account: { on: 'account', asks: 'read' },
  /** Changes of the caller's own account: password, tokens. */
  'account.edit': { on: 'account', asks: 'admin' },
  'server.admin': { on: 'server', asks: 'admin' },
  'server.read': { on: 'server', asks: 'read' },
  'workspace.read': { on: 'workspace', asks: 'read' },
  'workspace.manage': { on: 'workspace-manager', asks: 'admin' },
  /** Grants on an object: whoever manages it; the handler knows the object. */
  'access.read': { on: 'account', asks: 'read' },
  'access.manage': { on: 'account', asks: 'admin' },

  'experiment.list': { on: 'workspace', asks: 'read' },
  'experiment.create': { on: 'creator', asks: 'write' },
  'experiment.view': { on: 'experiment', level: 'VIEW', asks: 'read' },
  'experiment.edit': { on: 'experiment', level: 'EDIT', asks: 'write' },
  'experiment.manage': { on: 'experiment', level: 'MANAGE', asks: 'write' },

  'run.list': { on: 'workspace', asks: 'read' },
  'run.create': { on: 'experiment', level: 'EDIT', asks: 'write' },
  'run.view': { on: 'run', level: 'VIEW', asks: 'read' },
  'run.edit': { on: 'run', level: 'EDIT', asks: 'write' },
  'run.manage': { on: 'run', level: 'MANAGE', asks: 'write' },

  'logged-model.list': { on: 'workspace', asks: 'read' },
  'logged-model.create': { on: 'experiment', level: 'EDIT', asks: 'write' },
  'logged-model.view': { on: 'logged-model', level: 'VIEW', asks: 'read' },
  'logged-model.edit': { on: 'logged-model', level: 'EDIT', asks: 'write' },
  'logged-model.manage': { on: 'logged-model', level: 'MANAGE', asks: 'write' },

  'registered-model.list': { on: 'workspace', asks: 'read' },
  'registered-model.create': { on: 'creator', asks: 'write' },
  'registered-model.view': { on: 'registered-model', level: 'VIEW', asks: 'read' },
  'registered-model.edit': { on: 'registered-model', level: 'EDIT', asks: 'write' },
  /** MLflow's EDIT renames, and is stored as this level. */
  'registered-model.rename': { on: 'registered-model', level: 'MANAGE_PRODUCTION', asks: 'write' },
  'registered-model.manage': { on: 'registered-model', level: 'MANAGE', asks: 'write' },

  'model-version.list': { on: 'workspace', asks: 'read' },
  /** And READ on what it is made from. */
  'model-version.create': { on: 'registered-model', level: 'EDIT', asks: 'write' },
  'model-version.view': { on: 'registered-model', level: 'VIEW', asks: 'read' },
  /** Reads bytes or where they are. */
  'model-version.read': { on: 'registered-model', level: 'READ', asks: 'read' },
  'model-version.edit': { on: 'registered-model', level: 'EDIT', asks: 'write' },
  /** Into or out of Production needs more, which the transition itself asks. */
  'model-version.transition': { on: 'registered-model', level: 'MANAGE_STAGING', asks: 'write' },
  'model-version.manage': { on: 'registered-model', level: 'MANAGE', asks: 'write' },

  /** Asking for a change that others may make, and taking the question back. */
  'request.create': { on: 'registered-model', level: 'READ', asks: 'write' },
  'request.list': { on: 'workspace', asks: 'read' },
  /** Whoever may see what it is about, and of answers whom the policies name; the handler finds both by the request. */
  'request.view': { on: 'account', asks: 'read' },
  'request.answer': { on: 'account', asks: 'write' },
  'policy.read': { on: 'workspace', asks: 'read' },
  'policy.publish': { on: 'workspace-manager', asks: 'admin' },
  'comment.create': { on: 'registered-model', level: 'READ', asks: 'write' },
  /** EDIT, but for identities whose token has the scope `check:<name>`; the room looks at that. */
  'check.report': { on: 'registered-model', level: 'READ', asks: 'write' },
  /** Whoever may see what it is about; the handler finds it by the request. */
  'comment.view': { on: 'account', asks: 'read' },
  /** The author's, whoever manages the model, or whoever may comment; the handler finds them by the comment or the request. */
  'comment.edit': { on: 'account', asks: 'write' },
  /** The caller's own. */
  'inbox.view': { on: 'workspace', asks: 'read' },
  'inbox.edit': { on: 'workspace', asks: 'write' },

  'block.read': { on: 'workspace', asks: 'read' },
  /** MANAGE on a model that has the bytes, or the workspace; the room finds the models by the digest. */
  'block.create': { on: 'workspace', asks: 'write' },
  /** One of all workspaces: an administrator of the server. */
  'block.lift': { on: 'workspace-manager', asks: 'admin' },
  'break-glass.read': { on: 'workspace', asks: 'read' },
  /** Who has the permission that the policy names; the room knows the policy. */
  'break-glass.open': { on: 'workspace', asks: 'write' },
  /** A second person with MANAGE_PRODUCTION on the model, or the workspace; the room knows what was done. */
  'break-glass.review': { on: 'workspace', asks: 'write' },

  /** The object that owns the path decides. */
  'artifact.read': { on: 'artifact', level: 'READ', asks: 'read' },
  'artifact.list': { on: 'artifact', level: 'VIEW', asks: 'read' },
  'artifact.write': { on: 'artifact', level: 'EDIT', asks: 'write' },
  'artifact.delete': { on: 'artifact', level: 'MANAGE', asks: 'write' },

  'events.read': { on: 'workspace-manager', asks: 'read' },
  'settings.read': { on: 'workspace', asks: 'read' },
  'settings.edit': { on: 'workspace-manager', asks: 'admin' },
  'webhooks.manage': { on: 'workspace-manager', asks: 'admin' },
} as const satisfies Record<string, PermissionRule>;

export type Permission = keyof typeof PERMISSIONS;
