// Requests built once as bytes; the only thing that changes from one to the next is a counter patched into them.

export type RequestTemplate = { readonly bytes: Buffer; readonly counterOffsets: readonly number[] };

const counterDigits = 13;
/** Stands for a number that differs in each request that is sent. */
export const counterMark = '@'.repeat(counterDigits);
/** Counters start here so that they always have the same number of digits. */
export const counterFirst = 10 ** (counterDigits - 1);

function offsetsOfCounter(bytes: Buffer): number[] {
  const offsets: number[] = [];
  for (let at = bytes.indexOf(counterMark); at >= 0; at = bytes.indexOf(counterMark, at + counterDigits)) offsets.push(at);
  return offsets;
}

function template(head: readonly string[], body: Buffer): RequestTemplate {
  const bytes = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
  return { bytes, counterOffsets: offsetsOfCounter(bytes) };
}

export function getRequest(port: number, path: string): RequestTemplate {
  return template([`GET ${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`], Buffer.alloc(0));
}

/** The same with one header more. */
export function withHeader(request: RequestTemplate, name: string, value: string): RequestTemplate {
  const firstLineEnd = request.bytes.indexOf('\r\n') + 2;
  const header = Buffer.from(`${name}: ${value}\r\n`);
  return {
    bytes: Buffer.concat([request.bytes.subarray(0, firstLineEnd), header, request.bytes.subarray(firstLineEnd)]),
    counterOffsets: request.counterOffsets.map((offset) => offset + header.length),
  };
}

/** The same with the header Authorization; undefined leaves it as it is. */
export function authorized(request: RequestTemplate, authorization: string | undefined): RequestTemplate {
  return authorization === undefined ? request : withHeader(request, 'Authorization', authorization);
}

/** The body may hold the counter mark as a string; `countingNumber` is written without quotes. */
export function jsonRequest(port: number, path: string, body: unknown): RequestTemplate {
  const text = JSON.stringify(body).replaceAll(`"#${counterMark}"`, counterMark);
  const head = [`POST ${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, 'Content-Type: application/json'];
  return template([...head, `Content-Length: ${Buffer.byteLength(text)}`], Buffer.from(text));
}

/** A JSON value that is written as a number and counts up. */
export const countingNumber = `#${counterMark}`;

/** An upload of `bodyStart` followed by `fillerBytes` bytes that the load generator appends. */
export function putRequest(port: number, path: string, bodyStart: Buffer, fillerBytes: number): RequestTemplate {
  const head = [`PUT ${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, 'Content-Type: application/octet-stream'];
  return template([...head, `Content-Length: ${bodyStart.length + fillerBytes}`], bodyStart);
}

/** The bytes to send: the template itself when nothing in it counts, else a copy with this count. */
export function fillIn(request: RequestTemplate, counter: number): Buffer {
  if (request.counterOffsets.length === 0) return request.bytes;
  const copy = Buffer.from(request.bytes);
  const digits = String(counter);
  for (const offset of request.counterOffsets) copy.write(digits, offset, 'latin1');
  return copy;
}
