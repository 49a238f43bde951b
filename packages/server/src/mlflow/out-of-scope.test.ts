import { describe, expect, it } from 'vitest';
import { unknownPath } from './out-of-scope.ts';

describe('paths without an endpoint', () => {
  it.each([
    ['/api/3.0/mlflow/traces/search', 'Tracing'],
    ['/ajax-api/3.0/mlflow/gateway/secrets/list', 'gateway'],
    ['/api/3.0/mlflow/datasets/search', 'Evaluation datasets'],
    ['/api/3.0/mlflow/workspaces', 'switched off'],
    ['/graphql', 'GraphQL'],
    ['/v1/traces', 'Tracing'],
    ['/api/2.0/mlflow/constructor', 'begin with'],
    ['/.well-known/databricks-config', 'begin with'],
  ])('%s says why', (path, text) => {
    expect(unknownPath(path).toWire()).toMatchObject({ error_code: 'ENDPOINT_NOT_FOUND', message: expect.stringContaining(text) });
  });

  it('a path that is no text is a mistake of its own', () => {
    expect(unknownPath('/a%ff').code).toBe('INVALID_PARAMETER_VALUE');
  });
});
