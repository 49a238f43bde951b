// Artifacts of the bare server: hashed whole and by 1 MiB chunks, fsynced, renamed, the folder fsynced, then a row.
import { createHash, hash, randomBytes } from 'node:crypto';
import { close, fsync, mkdirSync, open, openSync, read, rename, write } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { StatementSync } from 'node:sqlite';
import { promisify } from 'node:util';
import type { BareDatabase } from './database.ts';

const chunkBytes = 1024 * 1024;
const digestBytes = 32;
const openFile = promisify(open);
const closeFile = promisify(close);
const syncFile = promisify(fsync);
const renameFile = promisify(rename);
const readFileAt = promisify(read);
const writeFileAt = promisify(write);

type StoredBody = { readonly digest: string; readonly size: number; readonly chunkDigests: Buffer };

export class ArtifactStore {
  private readonly db: BareDatabase;
  private readonly folder: string;
  private readonly folderDescriptors = new Map<string, number>();
  private readonly find: StatementSync;
  private readonly upsertArtifact: StatementSync;
  private readonly insertBlob: StatementSync;

  constructor(db: BareDatabase, folder: string) {
    this.db = db;
    this.folder = folder;
    mkdirSync(join(folder, 'incoming'), { recursive: true });
    for (let prefix = 0; prefix < 256; prefix += 1) {
      const name = prefix.toString(16).padStart(2, '0');
      mkdirSync(join(folder, name), { recursive: true });
      this.folderDescriptors.set(name, openSync(join(folder, name), 'r'));
    }
    this.find = db.prepare('SELECT digest, size, is_sealed, chunk_digests FROM artifacts JOIN blobs USING (digest, size) WHERE path = ?');
    this.upsertArtifact = db.prepare('INSERT OR REPLACE INTO artifacts VALUES (?, ?, ?, 0)');
    this.insertBlob = db.prepare('INSERT OR IGNORE INTO blobs VALUES (?, ?, ?)');
  }

  async put(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const temporary = join(this.folder, 'incoming', randomBytes(12).toString('hex'));
    const descriptor = await openFile(temporary, 'wx');
    const stored = await this.store(request, descriptor);
    await syncFile(descriptor);
    await closeFile(descriptor);
    const prefix = stored.digest.slice(0, 2);
    await renameFile(temporary, join(this.folder, prefix, stored.digest));
    await syncFile(this.folderDescriptors.get(prefix) ?? -1);
    await new Promise<void>((resolve, reject) => {
      this.db.write(
        () => {
          this.insertBlob.run(stored.digest, stored.size, stored.chunkDigests);
          this.upsertArtifact.run(path, stored.digest, stored.size);
          return '';
        },
        () => resolve(),
        reject,
      );
    });
    response.writeHead(200, { 'Content-Length': 0 });
    response.end();
  }

  async get(path: string, response: ServerResponse): Promise<void> {
    const row = this.find.get(path);
    if (row === undefined) {
      response.writeHead(404, { 'Content-Length': 0 });
      response.end();
      return;
    }
    const [digest, size] = [String(row.digest), Number(row.size)];
    const chunkDigests = row.is_sealed === 1 && row.chunk_digests instanceof Uint8Array ? Buffer.from(row.chunk_digests) : undefined;
    const descriptor = await openFile(join(this.folder, digest.slice(0, 2), digest), 'r');
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': size });
    await this.sendFile(descriptor, size, chunkDigests, response);
    response.end();
    await closeFile(descriptor);
  }

  private async store(request: IncomingMessage, descriptor: number): Promise<StoredBody> {
    const whole = createHash('sha256');
    const chunkDigests: Buffer[] = [];
    const expected = Number(request.headers['content-length'] ?? chunkBytes);
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(chunkBytes, expected)));
    let filled = 0;
    let size = 0;
    const flush = async (): Promise<void> => {
      const chunk = buffer.subarray(0, filled);
      whole.update(chunk);
      chunkDigests.push(hash('sha256', chunk, 'buffer'));
      for (let done = 0; done < filled; ) done += (await writeFileAt(descriptor, buffer, done, filled - done, size + done)).bytesWritten;
      size += filled;
      filled = 0;
    };
    for await (const part of request as AsyncIterable<Buffer>) {
      for (let at = 0; at < part.length; ) {
        const taken = part.copy(buffer, filled, at);
        at += taken;
        filled += taken;
        if (filled === buffer.length) await flush();
      }
    }
    if (filled > 0) await flush();
    return { digest: whole.digest('hex'), size, chunkDigests: Buffer.concat(chunkDigests) };
  }

  /** Two buffers in turn: one is read into while the other is on its way out. */
  private async sendFile(descriptor: number, size: number, chunkDigests: Buffer | undefined, response: ServerResponse): Promise<void> {
    const buffers = [Buffer.allocUnsafe(Math.min(chunkBytes, size)), Buffer.allocUnsafe(size > chunkBytes ? chunkBytes : 0)];
    let sent: Promise<void> | undefined;
    for (let at = 0, index = 0; at < size; at += chunkBytes, index += 1) {
      const length = Math.min(chunkBytes, size - at);
      const buffer = buffers[index % 2] ?? Buffer.alloc(0);
      const { bytesRead } = await readFileAt(descriptor, buffer, 0, length, at);
      const chunk = buffer.subarray(0, length);
      if (bytesRead !== length) throw new Error(`blob ended at ${at + bytesRead}`);
      const expected = chunkDigests?.subarray(index * digestBytes, (index + 1) * digestBytes);
      if (expected !== undefined && !hash('sha256', chunk, 'buffer').equals(expected)) throw new Error(`chunk ${index} is damaged`);
      await sent;
      sent = new Promise((resolve) => response.write(chunk, () => resolve()));
    }
    await sent;
  }
}
