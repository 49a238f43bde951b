/** Writes `docs/openapi.json` from the contract: `sh bin/node24 packages/server/src/api/write-openapi.ts`. */
import { writeFileSync } from 'node:fs';
import { openApiDocument } from './openapi.ts';

export const OPENAPI_FILE = new URL('../../../../docs/openapi.json', import.meta.url);

const LINE_WIDTH = 140;

export function openApiText(): string {
  return `${format(openApiDocument(), '', 0)}\n`;
}

/** As the project's formatter writes JSON: a list of plain values stands on one line where it fits. `used` is what stands before it there. */
function format(value: unknown, indent: string, used: number): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  if (!Array.isArray(value)) {
    const members = Object.entries(value).map(([name, member]) => {
      const label = `${inner}${JSON.stringify(name)}: `;
      return `${label}${format(member, inner, label.length)}`;
    });
    return members.length === 0 ? '{}' : `{\n${members.join(',\n')}\n${indent}}`;
  }
  const items = value.map((item) => format(item, inner, inner.length));
  const line = `[${items.join(', ')}]`;
  // A comma may follow.
  if (!line.includes('\n') && used + line.length < LINE_WIDTH) return line;
  return `[\n${items.map((item) => `${inner}${item}`).join(',\n')}\n${indent}]`;
}

if (import.meta.main) writeFileSync(OPENAPI_FILE, openApiText());
