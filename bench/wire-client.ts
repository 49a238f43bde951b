// A plain client of the MLflow wire for seeding: keep-alive, parsed JSON, throws on anything but 200.
import { Agent, request } from 'node:http';
import { apiRoute } from './dataset.ts';

export type JsonObject = { readonly [key: string]: unknown };

const answerLimitMs = 120_000;

function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? (value as JsonObject) : {}; // any object may be read by key
}

export class WireClient {
  private readonly agent: Agent;
  private readonly port: number;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(port: number, connectionsMax: number, headers: Readonly<Record<string, string>> = {}) {
    this.port = port;
    this.headers = headers;
    this.agent = new Agent({ keepAlive: true, maxSockets: connectionsMax });
  }

  /** Sends a request and returns the body's text. */
  async send(method: string, path: string, body: Buffer, contentType: string): Promise<string> {
    const answer = await this.exchange(method, path, body, contentType);
    if (answer.status !== 200) throw new Error(`${method} ${path.slice(0, 200)} answered ${answer.status}: ${answer.text.slice(0, 500)}`);
    return answer.text;
  }

  async post(path: string, body: JsonObject): Promise<JsonObject> {
    return asObject(JSON.parse(await this.send('POST', apiRoute + path, Buffer.from(JSON.stringify(body)), 'application/json')));
  }

  async get(path: string): Promise<JsonObject> {
    return asObject(JSON.parse(await this.send('GET', apiRoute + path, Buffer.alloc(0), '')));
  }

  /** Of the native API. */
  async call(method: string, path: string, body?: JsonObject): Promise<JsonObject> {
    const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(body));
    return asObject(JSON.parse(await this.send(method, path, bytes, 'application/json')));
  }

  close(): void {
    this.agent.destroy();
  }

  private exchange(method: string, path: string, body: Buffer, contentType: string): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string | number> = { ...this.headers };
      if (method !== 'GET') Object.assign(headers, { 'Content-Type': contentType, 'Content-Length': body.length });
      const options = { host: '127.0.0.1', port: this.port, method, path, headers, agent: this.agent, timeout: answerLimitMs };
      const outgoing = request(options, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }));
        response.once('error', reject);
      });
      outgoing.once('timeout', () => outgoing.destroy(new Error(`${method} ${path} was not answered within ${answerLimitMs / 1000} s`)));
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }
}

/** Reads a path such as `run.info.run_id` as text; "" when absent. */
export function textAt(object: JsonObject, path: string): string {
  let value: unknown = object;
  for (const key of path.split('.')) value = asObject(value)[key];
  return typeof value === 'string' ? value : '';
}
