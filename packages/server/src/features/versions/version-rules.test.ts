import { Problem } from '@countersign/contract/problem.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWithin, parseSource } from './version-rules.ts';

describe('sources of a version', () => {
  it.each([
    ['models:/m-0123', { kind: 'logged-model', modelId: 'm-0123' }],
    ['models:/A model/3', { kind: 'version', name: 'A model', version: 3, alias: undefined }],
    ['models:/A@champion', { kind: 'version', name: 'A', version: undefined, alias: 'champion' }],
    ['runs:/abc/dir/model', { kind: 'run', runId: 'abc', path: 'dir/model' }],
    ['mlflow-artifacts:/1/abc/artifacts/model', { kind: 'held', path: '1/abc/artifacts/model' }],
    ['mlflow-artifacts://host:9000/models//x/', { kind: 'held', path: 'models/x' }],
    ['http://host/api/2.0/mlflow-artifacts/artifacts/1/a', { kind: 'held', path: '1/a' }],
    ['s3://bucket/key', { kind: 'foreign' }],
    ['dbfs:/x', { kind: 'foreign' }],
    ['file:///tmp/x', { kind: 'local', path: '/tmp/x' }],
    ['/tmp/x', { kind: 'local', path: '/tmp/x' }],
  ])('%s is read', (source, expected) => {
    expect(parseSource(source)).toEqual(expected);
  });

  it.each([
    'mlflow-artifacts:/a/../b',
    'mlflow-artifacts:/a/%2e%2e/b',
    'mlflow-artifacts:/a/%252e%252e/b',
    'mlflow-artifacts:/a/..%2fb',
    's3://bucket/../x',
    'http://host/elsewhere',
    'ftp://host/x',
    'models:/A/B/C',
    'models:/A',
    'mlflow-artifacts:/a%00',
  ])('%s is refused', (source) => {
    expect(() => parseSource(source)).toThrow(Problem);
  });

  it('no held path leads out of the storage, whatever its encoding', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('..', '.', '%2e', '%252e', '%2f', '/', 'a', '\\', '%5c')), (pieces) => {
        try {
          const source = parseSource(`mlflow-artifacts:/${pieces.join('')}`);
          if (source.kind === 'held') expect(source.path.split(/[/\\]/)).not.toContain('..');
        } catch (error) {
          expect(error).toBeInstanceOf(Problem);
        }
      }),
    );
  });

  it('a directory holds what is below it, and nothing that only starts like it', () => {
    expect(isWithin('1/abc/artifacts/model', '1/abc/artifacts')).toBe(true);
    expect(isWithin('1/abcd', '1/abc')).toBe(false);
  });
});
