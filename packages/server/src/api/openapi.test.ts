import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openApiDocument } from './openapi.ts';
import { OPENAPI_FILE, openApiText } from './write-openapi.ts';

test('docs/openapi.json is what the contract says; else run `sh bin/node24 packages/server/src/api/write-openapi.ts`', () => {
  expect(readFileSync(OPENAPI_FILE, 'utf8')).toBe(openApiText());
});

test('every reference leads to a component, and answers may gain members', () => {
  const text = JSON.stringify(openApiDocument());
  const { components } = openApiDocument();
  for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) expect(components.schemas).toHaveProperty(name);
  expect(JSON.stringify(components)).not.toContain('"additionalProperties":false');
});
