/**
 * Reads the chain for each webhook from where it stands, and calls it: in order, one call at a time for a webhook, at least once. What was
 * answered is written down before the next call, so a killed server repeats one call at most, with the same delivery id.
 */
import { setTimeout } from 'node:timers/promises';
import { Problem } from '@countersign/contract/problem.ts';
import type { Clock } from '../../platform/context.ts';
import { type BackgroundJob, startJob } from '../../platform/jobs/background-job.ts';
import { isRetried, pauseMs } from './delivery-rules.ts';
import type { ServedRow } from './delivery-store.ts';
import { type Answer, sentenceOf } from './webhook-sender.ts';

/** An event that a webhook is called for. */
export interface Call {
  readonly seq: number;
  readonly send: (signal: AbortSignal) => Promise<Answer>;
}

/** What the deliverer needs of the database, each in a transaction of its own. */
export interface DeliveryBook {
  lastSeq(): Promise<number>;
  listBehind(seq: number): Promise<ServedRow[]>;
  /** The first call after an event, if there is one up to the place that was looked to. `untilSeq` is committed. */
  next(webhook: ServedRow, afterSeq: number, untilSeq: number): Promise<{ readonly call: number | undefined; readonly lookedTo: number }>;
  /** Takes or renews the right to make the call, which began at a time. Undefined: not now, or not any more. Throws for an unreadable secret. */
  take(webhookPk: number, seq: number, begunAt: number): Promise<Call | 'done' | undefined>;
  /** Writes down that nothing was to be done up to there. */
  skipTo(webhookPk: number, seq: number): Promise<void>;
  advance(webhookPk: number, seq: number, failure: string | undefined): Promise<void>;
  release(webhookPk: number): Promise<void>;
}

export interface DelivererOptions {
  readonly book: DeliveryBook;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly retriesMax: number;
  readonly onError: (error: unknown) => void;
  /** Told of each call that was given up. */
  readonly onFailure: (failure: { readonly webhookPk: number; readonly seq: number; readonly reason: string }) => void;
  readonly pollMs?: number;
}

const POLL_MS = 300;
/** Webhooks that are served at the same time. */
const PARALLEL_MAX = 32;
/** After an error of our own, a webhook rests. */
const REST_MS = 30_000;
/** A webhook's place is written down after this many events that were not for it. */
const UNWRITTEN_MAX = 1000;

export function startDeliverer(options: DelivererOptions): BackgroundJob {
  const stopping = new AbortController();
  const deliverer = new Deliverer(options, stopping.signal);
  const everyMs = options.pollMs ?? POLL_MS;
  const job = startJob({ firstAfterMs: everyMs, everyMs, run: () => deliverer.look(), onError: options.onError });
  return {
    stop: async () => {
      stopping.abort();
      await job.stop();
      await deliverer.idle();
    },
  };
}

class Deliverer {
  readonly #options: DelivererOptions;
  readonly #stopping: AbortSignal;
  readonly #serving = new Map<number, Promise<void>>();
  /** Up to which event a webhook's were looked at; the database knows an earlier place. */
  readonly #lookedTo = new Map<number, number>();
  readonly #restUntil = new Map<number, number>();
  #settledSeq = -1;

  constructor(options: DelivererOptions, stopping: AbortSignal) {
    this.#options = options;
    this.#stopping = stopping;
  }

  /** Starts to serve whoever has something to come. */
  async look(): Promise<void> {
    const { book, clock } = this.#options;
    const last = await book.lastSeq();
    if (last === this.#settledSeq && this.#serving.size === 0) return;
    const behind = await book.listBehind(last);
    this.#forgetOthers(behind);
    let isSettled = this.#serving.size === 0;
    for (const webhook of behind) {
      if (Math.max(webhook.deliveredSeq, this.#lookedTo.get(webhook.id) ?? 0) >= last) continue;
      isSettled = false;
      if (webhook.isHeld || this.#serving.has(webhook.id) || this.#serving.size >= PARALLEL_MAX || this.#stopping.aborted) continue;
      if ((this.#restUntil.get(webhook.id) ?? 0) > clock.now()) continue;
      const served = this.#serve(webhook, last)
        .catch((error: unknown) => {
          this.#restUntil.set(webhook.id, clock.now() + REST_MS);
          if (!this.#stopping.aborted) this.#options.onError(error);
        })
        .finally(() => this.#serving.delete(webhook.id));
      this.#serving.set(webhook.id, served);
    }
    // Another replica may die over what it took, so that a held one counts as behind.
    if (isSettled) this.#settledSeq = last;
  }

  /** Whoever is not behind is as far as the database says, or was deleted. */
  #forgetOthers(behind: readonly ServedRow[]): void {
    const ids = new Set(behind.map(({ id }) => id));
    for (const known of [this.#lookedTo, this.#restUntil]) {
      for (const id of known.keys()) if (!ids.has(id) && !this.#serving.has(id)) known.delete(id);
    }
  }

  async idle(): Promise<void> {
    await Promise.allSettled(this.#serving.values());
  }

  async #serve(webhook: ServedRow, last: number): Promise<void> {
    const { book } = this.#options;
    const place = (): number => Math.max(webhook.deliveredSeq, this.#lookedTo.get(webhook.id) ?? 0);
    let isTaken = false;
    try {
      while (place() < last && !this.#stopping.aborted) {
        const { call, lookedTo } = await book.next(webhook, place(), last);
        if (call === undefined) {
          this.#lookedTo.set(webhook.id, lookedTo);
          continue;
        }
        isTaken = true;
        if (!(await this.#deliver(webhook.id, call))) return;
        this.#lookedTo.set(webhook.id, call);
      }
      if (place() - webhook.deliveredSeq < UNWRITTEN_MAX || isTaken) return;
      isTaken = true;
      await book.skipTo(webhook.id, place());
    } finally {
      if (isTaken) await book.release(webhook.id);
    }
  }

  /** False: this webhook is not to be gone on with. */
  async #deliver(webhookPk: number, seq: number): Promise<boolean> {
    const { book, retriesMax, timeoutMs, clock } = this.#options;
    // The same on every retry, and with it the signature.
    const begunAt = clock.now();
    for (let retry = 0; ; retry += 1) {
      const call = await book.take(webhookPk, seq, begunAt);
      if (call === undefined) return false;
      if (call === 'done') return true;
      const result = await attempt(call, AbortSignal.any([this.#stopping, AbortSignal.timeout(timeoutMs)]));
      if (this.#stopping.aborted && result.failure !== undefined) return false;
      if (result.failure === undefined || !result.isRetried || retry >= retriesMax) {
        await book.advance(webhookPk, seq, result.failure);
        if (result.failure !== undefined) this.#options.onFailure({ webhookPk, seq, reason: result.failure });
        return true;
      }
      const chance = clock.randomBytes(1).readUInt8() / 256;
      const pause = pauseMs(retry + 1, chance, result.retryAfter, clock.now());
      await setTimeout(pause, undefined, { signal: this.#stopping }).catch(() => {});
      if (this.#stopping.aborted) return false;
    }
  }
}

interface Attempt {
  readonly failure: string | undefined;
  readonly isRetried: boolean;
  readonly retryAfter: string | undefined;
}

async function attempt(call: Call, signal: AbortSignal): Promise<Attempt> {
  try {
    const { status, retryAfter } = await call.send(signal);
    if (status >= 200 && status < 300) return { failure: undefined, isRetried: false, retryAfter: undefined };
    return { failure: `the receiver answered with status ${status}`, isRetried: isRetried(status), retryAfter };
  } catch (error) {
    // A URL that may not be called will not become better by calling it.
    return { failure: sentenceOf(error), isRetried: !(error instanceof Problem), retryAfter: undefined };
  }
}
