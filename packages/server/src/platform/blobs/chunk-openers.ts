/**
 * Threads that read and open encrypted chunks. On the main thread a download would cost three times as much: what a cipher answers is new
 * memory each time, which is dear to collect beside a server's heap and cheap in a thread that has none.
 */
import type { KeyObject } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ChunkPlace } from './chunk-cipher.ts';

export interface ChunkQuestion {
  readonly id: number;
  /** An open file of this process, for as long as the answer takes. */
  readonly file: number;
  readonly position: number;
  readonly sealedBytes: number;
  readonly key: KeyObject;
  readonly place: ChunkPlace;
  readonly into: SharedArrayBuffer;
}

/** How many bytes lie in `into`; undefined for a chunk that was changed or cut. */
export type ChunkReply = { readonly id: number } & ({ readonly sizeBytes: number | undefined } | { readonly failure: unknown });

interface Waiting {
  readonly resolve: (sizeBytes: number | undefined) => void;
  readonly reject: (error: unknown) => void;
}

const THREADS_MAX = 4;

export class ChunkOpeners {
  readonly #threads: Thread[] = [];
  /** One processor is the main thread's. */
  readonly #threadsMax = Math.max(1, Math.min(THREADS_MAX, availableParallelism() - 1));

  /** Fails where the file can't be read, as a read by itself does. */
  open(question: Omit<ChunkQuestion, 'id'>): Promise<number | undefined> {
    let [chosen] = this.#threads;
    for (const each of this.#threads) if (chosen === undefined || each.load < chosen.load) chosen = each;
    if (chosen === undefined || (chosen.load > 0 && this.#threads.length < this.#threadsMax)) {
      chosen = new Thread();
      this.#threads.push(chosen);
    }
    return chosen.ask(question);
  }
}

/** Started at its first question; the process stays alive for it only as long as it has one. */
class Thread {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;

  get load(): number {
    return this.#waiting.size;
  }

  ask(question: Omit<ChunkQuestion, 'id'>): Promise<number | undefined> {
    this.#worker ??= this.#start();
    const id = ++this.#lastId;
    this.#worker.ref();
    this.#worker.postMessage({ id, ...question } satisfies ChunkQuestion);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #start(): Worker {
    // Where the build puts workers, and where they lie in the sources.
    const file = import.meta.url.endsWith('.ts') ? './chunk-opener.worker.ts' : './workers/chunk-opener.worker.js';
    const worker = new Worker(new URL(file, import.meta.url));
    worker.on('message', (reply: ChunkReply) => this.#answer(worker, reply));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('the thread that opens chunks ended')));
    return worker;
  }

  #answer(worker: Worker, reply: ChunkReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) worker.unref();
    if ('failure' in reply) waiting?.reject(reply.failure);
    else waiting?.resolve(reply.sizeBytes);
  }

  /** The next question starts another. */
  #fail(error: unknown): void {
    this.#worker = undefined;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
