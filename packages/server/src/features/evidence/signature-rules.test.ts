import { describe, expect, test } from 'vitest';
import { type Signature, signatureBreaks } from './signature-rules.ts';

const column = (name: string, type: string, more: object = {}): object => ({ name, type, required: true, ...more });
const optional = { required: false };
const tensor = (dtype: string, shape: number[], name?: string): object => ({ type: 'tensor', 'tensor-spec': { dtype, shape }, name });
const object = (properties: object, name = 'o'): object => ({ name, type: 'object', properties, required: true });
const inputs = (...fields: object[]): Signature => ({ inputs: fields, outputs: null, params: null });
const outputs = (...fields: object[]): Signature => ({ inputs: null, outputs: fields, params: null });
const params = (...fields: object[]): Signature => ({ inputs: null, outputs: null, params: fields });
const NONE: Signature = { inputs: null, outputs: null, params: null };

describe('callers of what stands go on', () => {
  test.each<[string, Signature, Signature]>([
    ['where both are the same', inputs(column('x', 'double')), inputs(column('x', 'double'))],
    ['where nothing was promised', NONE, inputs(column('x', 'double'))],
    ['where an input is asked no more', inputs(column('x', 'long'), column('y', 'long')), inputs(column('x', 'long'))],
    ['where an input is new and may be left out', inputs(column('x', 'long')), inputs(column('x', 'long'), column('y', 'long', optional))],
    ['where an input may be left out now', inputs(column('x', 'long')), inputs(column('x', 'long', optional))],
    [
      'where the order of named inputs differs',
      inputs(column('x', 'long'), column('y', 'string')),
      inputs(column('y', 'string'), column('x', 'long')),
    ],
    ['from integer to long', inputs(column('x', 'integer')), inputs(column('x', 'long'))],
    ['from integer to double', inputs(column('x', 'integer')), inputs(column('x', 'double'))],
    ['from float to double', inputs(column('x', 'float')), inputs(column('x', 'double'))],
    ['where anything is taken', inputs(column('x', 'string')), inputs(column('x', 'any'))],
    ['where the last unnamed input is asked no more', inputs({ type: 'long' }, { type: 'long' }), inputs({ type: 'long' })],
    ['where a fixed length may be any', inputs(tensor('float32', [-1, 4])), inputs(tensor('float32', [-1, -1]))],
    ['where an output is new', outputs(column('p', 'double')), outputs(column('p', 'double'), column('q', 'double'))],
    ['where an output is narrower', outputs(column('p', 'double')), outputs(column('p', 'float'))],
    ['where a param is new', NONE, params({ name: 't', type: 'float', default: 1, shape: null })],
    ['where a param is ignored now', params({ name: 't', type: 'float', default: 1, shape: null }), NONE],
    [
      'where a whole number is a fraction too',
      params({ name: 't', type: 'long', shape: null }),
      params({ name: 't', type: 'double', shape: null }),
    ],
    ['where a member may be left out now', inputs(object({ a: { type: 'long' } })), inputs(object({ a: { type: 'long', ...optional } }))],
    [
      'where the items of a list are wider',
      inputs(column('l', 'array', { items: { type: 'integer' } })),
      inputs(column('l', 'array', { items: { type: 'long' } })),
    ],
  ])('%s', (_name, standing, candidate) => {
    expect(signatureBreaks(standing, candidate)).toEqual([]);
  });
});

describe('callers of what stands break', () => {
  test.each<[string, Signature, Signature]>([
    ['the inputs have no schema any more', inputs(column('x', 'double')), NONE],
    ["input 'y' is required, and callers don't send it", inputs(column('x', 'long')), inputs(column('x', 'long'), column('y', 'long'))],
    ["input 'x' is required now", inputs(column('x', 'long', optional)), inputs(column('x', 'long'))],
    ["input 'x' was long, and is double", inputs(column('x', 'long')), inputs(column('x', 'double'))],
    ["input 'x' was double, and is float", inputs(column('x', 'double')), inputs(column('x', 'float'))],
    ["input 'x' was string, and is long", inputs(column('x', 'string')), inputs(column('x', 'long'))],
    ["input 'x' was any, and is long", inputs(column('x', 'any')), inputs(column('x', 'long'))],
    [
      'the inputs are told apart by names in one of them, and by their order in the other',
      inputs(column('x', 'long')),
      inputs({ type: 'long' }),
    ],
    ["input #2 is required, and callers don't send it", inputs({ type: 'long' }), inputs({ type: 'long' }, { type: 'long' })],
    [
      'input #1 was {"type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1,4]}}, and is {"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,4]}}',
      inputs(tensor('float32', [-1, 4])),
      inputs(tensor('float64', [-1, 4])),
    ],
    [
      'input #1 was {"type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1,-1]}}, and is {"type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1,4]}}',
      inputs(tensor('float32', [-1, -1])),
      inputs(tensor('float32', [-1, 4])),
    ],
    [
      'input \'o\' was {"type":"object","properties":{"a":{"type":"long"},"b":{"type":"long"}}}, and is {"type":"object","properties":{"a":{"type":"long"}}}',
      inputs(object({ a: { type: 'long' }, b: { type: 'long' } })),
      inputs(object({ a: { type: 'long' } })),
    ],
    [
      'input \'o\' was {"type":"object","properties":{}}, and is {"type":"object","properties":{"a":{"type":"long"}}}',
      inputs(object({})),
      inputs(object({ a: { type: 'long' } })),
    ],
    [
      'input \'m\' was {"type":"map","values":{"type":"string"}}, and is {"type":"map","values":{"type":"long"}}',
      inputs(column('m', 'map', { values: { type: 'string' } })),
      inputs(column('m', 'map', { values: { type: 'long' } })),
    ],
    ['the outputs have no schema any more', outputs(column('p', 'double')), NONE],
    ["output 'p' is answered no more", outputs(column('p', 'double')), outputs(column('q', 'double'))],
    ["output 'p' may be left out now", outputs(column('p', 'double')), outputs(column('p', 'double', optional))],
    ["output 'p' was long, and is double", outputs(column('p', 'long')), outputs(column('p', 'double'))],
    [
      "param 't' was string, and is long",
      params({ name: 't', type: 'string', shape: null }),
      params({ name: 't', type: 'long', shape: null }),
    ],
    [
      'param \'t\' was long, and is {"type":"long","shape":[-1]}',
      params({ name: 't', type: 'long', shape: null }),
      params({ name: 't', type: 'long', shape: [-1] }),
    ],
  ])('%s', (reason, standing, candidate) => {
    expect(signatureBreaks(standing, candidate)).toEqual([reason]);
  });

  test('by a type that nobody knows, but for itself', () => {
    expect(signatureBreaks(inputs({ name: 'x', type: 'constructor' }), inputs({ name: 'x', type: 'long' }))).toHaveLength(1);
    expect(signatureBreaks(inputs({ name: 'x' }), inputs({ name: 'x' }))).toHaveLength(1);
  });
});

test('a signature is whatever a client wrote, and breaks no rule', () => {
  for (const odd of ['text', 7, { inputs: 1 }, [null], [[]], [{ type: { type: 'x' } }]]) {
    expect(() => signatureBreaks({ inputs: odd, outputs: odd, params: odd }, { inputs: odd, outputs: odd, params: odd })).not.toThrow();
  }
});
