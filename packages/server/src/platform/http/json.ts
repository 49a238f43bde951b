/** JSON with exact integers: beyond 2^53 they are read as bigint from the source text and written raw. */
import { isUtf8 } from 'node:buffer';
import { invalid, Problem } from '@countersign/contract/problem.ts';

const DEPTH_MAX = 100;
/** Not the digits of a fraction; inside a string it does no harm. */
const LONG_INTEGER = /(?:^|[[:,\s])-?\d{16,}(?=$|[\s,\]}])/;

declare global {
  interface JSON {
    rawJSON(text: string): unknown;
  }
}

// JSON.stringify asks a bigint for toJSON; this is the one place where the process says how int64 is written.
Object.defineProperty(BigInt.prototype, 'toJSON', {
  value(this: bigint) {
    return JSON.rawJSON(String(this));
  },
  configurable: true,
  writable: true,
});

/** Reads a request body. An absent body is an empty object; a JSON string that holds JSON is read once more, as legacy clients send it. */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return {};
  if (!isUtf8(bytes)) throw invalid('The request body is not valid UTF-8. Send JSON encoded as UTF-8.');
  const text = bytes.toString('utf8');
  checkDepth(bytes);
  const parsed = parseExact(text);
  if (typeof parsed === 'string') {
    checkDepth(Buffer.from(parsed));
    return parseExact(parsed);
  }
  return parsed;
}

/** The same for JSON inside a string field. */
export function parseExact(text: string): unknown {
  try {
    // Reading the source text of every number is slow, so it is done only where an integer is long enough to need it.
    return LONG_INTEGER.test(text) ? JSON.parse(text, exactInteger) : JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalid(`The request body is not valid JSON (${error.message}). NaN and Infinity are sent as strings: "NaN", "Infinity".`);
  }
}

function exactInteger(_key: string, value: unknown, context?: { source: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** A reviver recurses, and so do readers: depth is bounded before anything walks the value. Bytes are looked at in half the time of characters. */
function checkDepth(bytes: Buffer): void {
  if (bytes.length < DEPTH_MAX * 2) return;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i];
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > DEPTH_MAX)
        throw new Problem('INVALID_PARAMETER_VALUE', `The request body is nested deeper than ${DEPTH_MAX} levels. Send it flatter.`);
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
}
