// The load generator's own process: keep-alive connections, each sending its next request when the last was answered.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { ExpectedBody, LoadJob, LoadResult } from './load-job.ts';
import { counterFirst, fillIn } from './request-template.ts';
import { ResponseReader, type ResponseSummary } from './response-reader.ts';

const receiveBufferBytes = 256 * 1024;
const answerLimitMs = 120_000;
const errorTextMax = 300;
const errorsAlwaysAllowed = 20;
const errorShareMax = 0.5;

let filler = Buffer.alloc(0);

/** What a wrong answer said, as far as it came with the last bytes received. */
function bodyStart(lastBytes: Buffer): string {
  const at = lastBytes.indexOf('\r\n\r\n');
  const text = lastBytes.toString('utf8', at < 0 ? 0 : at + 4).slice(0, errorTextMax);
  return text.startsWith('{') ? `: ${text.replace(/[^ -~]+/g, ' ')}` : '';
}

/** Stops a hopeless job, but lets one go on that is refused now and then. */
function isHopeless(errors: number, begun: number): boolean {
  return errors >= errorsAlwaysAllowed && errors > begun * errorShareMax;
}

function isAsExpected(response: ResponseSummary, expected: ExpectedBody): boolean {
  if (response.status !== 200 && response.status !== 201) return false;
  if (expected === 'json') return response.bodyBytes >= 2;
  return response.bodyBytes === (expected === 'empty' ? 0 : expected);
}

class LoadRun {
  private readonly job: LoadJob;
  private readonly startedAt = performance.now();
  private readonly deadline: number;
  private readonly latencies: number[] = [];
  private counter: number;
  private begun = 0;
  private errors = 0;
  private firstError: string | undefined;
  private bodyBytes = 0;
  private lastAnswerAt = this.startedAt;

  constructor(job: LoadJob) {
    this.job = job;
    this.counter = job.counterStart;
    this.deadline = this.startedAt + job.seconds * 1000;
  }

  async run(): Promise<LoadResult> {
    await Promise.all(Array.from({ length: this.job.connections }, () => this.runConnection()));
    const sorted = this.latencies.sort((a, b) => a - b);
    const quantile = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
    return {
      completed: sorted.length,
      errors: this.errors,
      ...(this.firstError === undefined ? {} : { firstError: this.firstError }),
      elapsedMs: this.lastAnswerAt - this.startedAt,
      bodyBytes: this.bodyBytes,
      medianMs: quantile(0.5),
      p99Ms: quantile(0.99),
      counterNext: this.counter,
    };
  }

  private hasMore(): boolean {
    if (isHopeless(this.errors, this.begun) || this.begun >= this.job.requestsMax) return false;
    return this.begun < this.job.connections || performance.now() < this.deadline;
  }

  private fail(reason: string): void {
    this.errors += 1;
    this.firstError ??= reason;
  }

  private async runConnection(): Promise<void> {
    while (this.hasMore()) await this.useOneSocket();
  }

  /** Resolves when the work is done or the server closed the connection. */
  private useOneSocket(): Promise<void> {
    return new Promise((resolve) => {
      let sentAt = 0;
      let receivedLength = 0;
      const onResponse = (response: ResponseSummary): void => {
        const now = performance.now();
        this.lastAnswerAt = now;
        this.bodyBytes += response.bodyBytes;
        if (isAsExpected(response, this.job.expectedBody)) this.latencies.push(now - sentAt);
        else this.fail(`status ${response.status}, body of ${response.bodyBytes} bytes${bodyStart(received.subarray(0, receivedLength))}`);
        sentAt = 0;
        if (response.isClosing || !this.hasMore()) socket.end();
        else sentAt = this.sendNext(socket);
      };
      const reader = new ResponseReader(onResponse);
      const received = Buffer.allocUnsafe(receiveBufferBytes);
      const socket = connect({
        port: this.job.port,
        host: '127.0.0.1',
        noDelay: true,
        onread: {
          buffer: received,
          callback: (length) => {
            receivedLength = length;
            try {
              reader.push(received, length);
            } catch (error) {
              socket.destroy(error instanceof Error ? error : new Error(String(error)));
            }
            return true;
          },
        },
      });
      socket.setTimeout(answerLimitMs, () => socket.destroy(new Error(`no answer within ${answerLimitMs / 1000} s`)));
      socket.once('connect', () => {
        sentAt = this.hasMore() ? this.sendNext(socket) : 0;
        if (sentAt === 0) socket.end();
      });
      socket.once('error', (error) => this.fail(error.message));
      socket.once('close', (hadError) => {
        if (sentAt !== 0 && !hadError) this.fail('the server closed the connection in the middle of a request');
        resolve();
      });
    });
  }

  private sendNext(socket: Socket): number {
    const { templates, fillerBytes } = this.job;
    const template = templates[(this.counter - counterFirst) % templates.length];
    if (template === undefined) throw new Error('a load job needs a request');
    const bytes = fillIn(template, this.counter);
    this.counter += 1;
    this.begun += 1;
    socket.write(bytes);
    if (fillerBytes > 0) socket.write(filler.subarray(0, fillerBytes));
    return performance.now();
  }
}

process.on('message', (message: LoadJob) => {
  if (filler.length < message.fillerBytes) filler = randomBytes(message.fillerBytes);
  // Values that crossed the process boundary arrive as Uint8Array views.
  const templates = message.templates.map((template) => ({ ...template, bytes: Buffer.from(template.bytes) }));
  void new LoadRun({ ...message, templates }).run().then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit(0));
