/**
 * The error catalogue: every refusal of the server is a `Problem` with one of these codes.
 * Names and statuses are MLflow's (mlflow/protos/databricks.proto ErrorCode); INVALID_STATE is 400 here, since
 * clients retry a 500 for minutes and lose its text.
 */
const CATALOGUE = {
  INVALID_PARAMETER_VALUE: { status: 400, sqlstate: 'KAM00', errorClass: 'INVALID_PARAMETER_VALUE' },
  BAD_REQUEST: { status: 400, sqlstate: 'KAM00', errorClass: 'INVALID_PARAMETER_VALUE' },
  RESOURCE_ALREADY_EXISTS: { status: 400, sqlstate: 'KAM00', errorClass: 'RESOURCE_ALREADY_EXISTS' },
  INVALID_STATE: { status: 400, sqlstate: 'KAM00', errorClass: 'INVALID_STATE' },
  UNAUTHENTICATED: { status: 401, sqlstate: undefined, errorClass: undefined },
  PERMISSION_DENIED: { status: 403, sqlstate: 'KAM00', errorClass: 'PERMISSION_DENIED' },
  RESOURCE_DOES_NOT_EXIST: { status: 404, sqlstate: 'KAM00', errorClass: 'RESOURCE_NOT_FOUND' },
  ENDPOINT_NOT_FOUND: { status: 404, sqlstate: 'KAM00', errorClass: 'RESOURCE_NOT_FOUND' },
  METHOD_NOT_ALLOWED: { status: 405, sqlstate: undefined, errorClass: undefined },
  RESOURCE_CONFLICT: { status: 409, sqlstate: undefined, errorClass: undefined },
  REQUEST_TOO_LARGE: { status: 413, sqlstate: undefined, errorClass: undefined },
  RANGE_NOT_SATISFIABLE: { status: 416, sqlstate: undefined, errorClass: undefined },
  INTERNAL_ERROR: { status: 500, sqlstate: 'XXM00', errorClass: 'CLIENT_INTERNAL_ERROR' },
  NOT_IMPLEMENTED: { status: 501, sqlstate: undefined, errorClass: undefined },
  TEMPORARILY_UNAVAILABLE: { status: 503, sqlstate: 'XXM00', errorClass: 'CLIENT_INTERNAL_ERROR' },
  STORAGE_FULL: { status: 507, sqlstate: undefined, errorClass: undefined },
} as const;

export type ProblemCode = keyof typeof CATALOGUE;

/** A refusal that a caller is meant to read: what was wrong, with the value, and what to do next. */
export class Problem extends Error {
  readonly code: ProblemCode;

  constructor(code: ProblemCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Problem';
    this.code = code;
  }

  get status(): number {
    return CATALOGUE[this.code].status;
  }

  /** The body every client reads: `error_code` and `message`, as `mlflow.exceptions.MlflowException.serialize_as_json`. */
  toWire(): { error_code: ProblemCode; message: string; sqlstate?: string; error_class?: string } {
    const { sqlstate, errorClass } = CATALOGUE[this.code];
    return {
      error_code: this.code,
      message: this.message,
      ...(sqlstate === undefined ? {} : { sqlstate }),
      ...(errorClass === undefined ? {} : { error_class: errorClass }),
    };
  }
}

export function invalid(message: string): Problem {
  return new Problem('INVALID_PARAMETER_VALUE', message);
}

export function notFound(message: string): Problem {
  return new Problem('RESOURCE_DOES_NOT_EXIST', message);
}
