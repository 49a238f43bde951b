// The least HTTP/1.1 parsing that a closed loop needs: status, body length, end of the response. Bodies are counted, not kept.

export type ResponseSummary = { readonly status: number; readonly bodyBytes: number; readonly isClosing: boolean };

type State = 'head' | 'fixed' | 'chunk-size' | 'chunk-body' | 'trailer';

const headLimitBytes = 64 * 1024;
const chunkLineLimitBytes = 64;

/** Reads the responses of one connection, one after another (no pipelining). */
export class ResponseReader {
  private state: State = 'head';
  private text = '';
  private remaining = 0;
  private status = 0;
  private bodyBytes = 0;
  private isClosing = false;
  private readonly onResponse: (response: ResponseSummary) => void;

  constructor(onResponse: (response: ResponseSummary) => void) {
    this.onResponse = onResponse;
  }

  /** Takes the next `length` received bytes. Throws if they aren't a response that this reader understands. */
  push(bytes: Buffer, length: number): void {
    let at = 0;
    while (at < length)
      at = this.state === 'fixed' || this.state === 'chunk-body' ? this.takeBody(at, length) : this.takeText(bytes, at, length);
  }

  private takeBody(at: number, length: number): number {
    const taken = Math.min(this.remaining, length - at);
    this.remaining -= taken;
    if (this.state === 'fixed') this.bodyBytes += taken;
    if (this.remaining === 0) {
      if (this.state === 'fixed') this.finish();
      else this.state = 'chunk-size';
    }
    return at + taken;
  }

  private takeText(bytes: Buffer, at: number, length: number): number {
    const separator = this.state === 'head' ? '\r\n\r\n' : '\r\n';
    const before = this.text.length;
    const sliceEnd = Math.min(length, at + (this.state === 'head' ? headLimitBytes : chunkLineLimitBytes));
    this.text += bytes.toString('latin1', at, sliceEnd);
    const end = this.text.indexOf(separator, Math.max(0, before - 3));
    if (end < 0) {
      if (this.text.length > headLimitBytes) throw new Error('response head is too long');
      return sliceEnd;
    }
    const line = this.text.slice(0, end);
    this.text = '';
    this.takeLine(line);
    return at + (end + separator.length - before);
  }

  private takeLine(line: string): void {
    if (this.state === 'head') this.takeHead(line);
    else if (this.state === 'trailer') {
      if (line === '') this.finish();
    } else {
      const size = Number.parseInt(line, 16);
      if (Number.isNaN(size)) throw new Error(`bad chunk size "${line.slice(0, 20)}"`);
      this.bodyBytes += size;
      this.remaining = size + 2; // the line end after the chunk
      this.state = size === 0 ? 'trailer' : 'chunk-body';
    }
  }

  private takeHead(head: string): void {
    this.status = Number(head.slice(9, 12));
    this.bodyBytes = 0;
    this.isClosing = /\r\nconnection: close/i.test(head);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    if (length !== null) {
      this.remaining = Number(length[1]);
      this.state = 'fixed';
      if (this.remaining === 0) this.finish();
    } else if (/\r\ntransfer-encoding: *chunked/i.test(head)) this.state = 'chunk-size';
    else throw new Error(`response ${this.status} has neither a length nor chunks`);
  }

  private finish(): void {
    this.state = 'head';
    this.onResponse({ status: this.status, bodyBytes: this.bodyBytes, isClosing: this.isClosing });
  }
}
