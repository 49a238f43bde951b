/** What a command's exit code says; the same for all commands. */
import { Problem, type ProblemCode } from '@countersign/contract/problem.ts';

export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  forbidden: 3,
  notFound: 4,
  conflict: 5,
  checkFailed: 6,
  unreachable: 7,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_CODE: Partial<Record<ProblemCode, ExitCode>> = {
  INVALID_PARAMETER_VALUE: EXIT.usage,
  BAD_REQUEST: EXIT.usage,
  UNAUTHENTICATED: EXIT.forbidden,
  PERMISSION_DENIED: EXIT.forbidden,
  RESOURCE_DOES_NOT_EXIST: EXIT.notFound,
  ENDPOINT_NOT_FOUND: EXIT.notFound,
  RESOURCE_ALREADY_EXISTS: EXIT.conflict,
  RESOURCE_CONFLICT: EXIT.conflict,
  INVALID_STATE: EXIT.conflict,
  STORAGE_FULL: EXIT.conflict,
  TEMPORARILY_UNAVAILABLE: EXIT.unreachable,
};

export function exitCodeOf(error: unknown): ExitCode {
  return (error instanceof Problem ? BY_CODE[error.code] : undefined) ?? EXIT.unexpected;
}
