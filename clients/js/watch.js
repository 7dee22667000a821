// @ts-check
/** The values of counters as they change. */

import { addresses } from "./addresses.js";
import { limited, noAnswer, pause, sendable, sleep } from "./attempts.js";
import { CounterError, problem } from "./errors.js";
import { EventParser } from "./sse.js";

/**
 * A value: of which counter, and the id of the event it came with, which is another for each change. For the hits of a page, `id` is the
 * name of its topic.
 * @typedef {{ id: string, value: number, event: string }} Reading
 */

/**
 * @typedef {object} WatchOptions
 * @property {AbortSignal} [signal] ends the watching: the iterator throws its reason
 * @property {string} [token] the secret of a key, or a ticket, for a service that asks for one
 * @property {number} [silence] after so many milliseconds without a byte the connection counts as broken; 75,000 unless given. The
 *   service sends one every 20 s (`streams.keep_alive`)
 * @property {(error: CounterError, wait: number) => void} [onRetry] is told why a connection ended, and in how many milliseconds there
 *   will be another
 * @property {typeof globalThis.fetch} [fetch] in place of the global one
 */

/**
 * The present value of each counter and then each new one, for as long as the loop runs. Broken connections and busy services are tried
 * again; what the service refuses (a counter that is not known, a missing key) is thrown. A loop that is slower than the counter skips
 * values, but always gets the last one.
 *
 * @param {import("./addresses.js").Counter | import("./addresses.js").Counters} target up to 20 counters of a service share a connection
 * @param {WatchOptions} [options]
 * @returns {AsyncIterableIterator<Reading>}
 */
export function watch(target, options = {}) {
  return new Watch(addresses(target), options);
}

/** @typedef {{ resolve: (result: IteratorResult<Reading>) => void, reject: (error: unknown) => void }} Caller */

/**
 * An iterator of its own in place of an async generator: the `return` of a generator would wait for the next value.
 * @implements {AsyncIterableIterator<Reading>}
 */
class Watch {
  #urls;
  #options;
  #connections = new AbortController();
  /** Values that no caller has taken, the latest of each counter. @type {Map<string, Reading>} */
  #untaken = new Map();
  /** The event that came last, by counter: the first event of another connection may be the same. @type {Map<string, string>} */
  #seen = new Map();
  /** Who waits for a value. @type {Caller[]} */
  #callers = [];
  /** What the next caller is thrown. @type {{ error: unknown } | undefined} */
  #failure;
  #state = "new";

  /** @param {string[]} urls @param {WatchOptions} options */
  constructor(urls, options) {
    this.#urls = urls;
    this.#options = options;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<IteratorResult<Reading>>} */
  async next() {
    if (this.#state === "new") this.#start();
    for (const [id, value] of this.#untaken) {
      this.#untaken.delete(id);
      return { done: false, value };
    }
    if (this.#failure) {
      const { error } = this.#failure;
      this.#failure = undefined;
      throw error;
    }
    if (this.#state === "ended") return { done: true, value: undefined };
    return new Promise((resolve, reject) => this.#callers.push({ resolve, reject }));
  }

  /** @returns {Promise<IteratorResult<Reading>>} */
  async return() {
    this.#untaken.clear();
    this.#failure = undefined;
    this.#end();
    return { done: true, value: undefined };
  }

  /** @param {unknown} [error] @returns {Promise<IteratorResult<Reading>>} */
  async throw(error) {
    await this.return();
    throw error;
  }

  #start() {
    this.#state = "open";
    const { signal } = this.#options;
    if (signal?.aborted) return this.#abort();
    signal?.addEventListener("abort", this.#abort, { once: true });
    const take = this.#take.bind(this);
    for (const url of this.#urls) {
      follow(url, take, this.#options, this.#connections.signal).catch((error) => this.#end({ error }));
    }
  }

  #abort = () => {
    this.#untaken.clear();
    this.#end({ error: this.#options.signal?.reason });
  };

  /** @param {Reading} reading */
  #take(reading) {
    if (this.#state === "ended" || this.#seen.get(reading.id) === reading.event) return;
    this.#seen.set(reading.id, reading.event);
    const caller = this.#callers.shift();
    if (caller) caller.resolve({ done: false, value: reading });
    else this.#untaken.set(reading.id, reading);
  }

  /** Ends the connections; the first caller is thrown the error, or else the next one. @param {{ error: unknown }} [failure] */
  #end(failure) {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#connections.abort();
    const first = failure && this.#callers.shift();
    if (first) first.reject(failure.error);
    else this.#failure = failure;
    for (const caller of this.#callers.splice(0)) caller.resolve({ done: true, value: undefined });
  }
}

/**
 * Listens to one address, with one connection after the other, until the signal aborts. Throws what another connection would not mend.
 * @param {string} url
 * @param {(reading: Reading) => void} take
 * @param {WatchOptions} options
 * @param {AbortSignal} signal
 */
async function follow(url, take, options, signal) {
  const request = sendable(url, { headers: { Accept: "text/event-stream" } }, options.token);
  let failures = 0;
  let first = 1000;
  /** @param {Reading} reading */
  const received = (reading) => {
    failures = 0;
    take(reading);
  };
  while (!signal.aborted) {
    const parser = new EventParser();
    /** @type {CounterError} */
    let error;
    try {
      await listen(url, request, parser, received, options, signal);
      error = new CounterError(`${url}: the stream has ended`);
    } catch (cause) {
      if (signal.aborted) return;
      error = cause instanceof CounterError ? cause : noAnswer(url, cause);
      if (!error.temporary) throw error;
    }
    first = Math.max(parser.retry ?? first, 100);
    const wait = pause(first, failures++) + (error.retryAfter ?? 0);
    options.onRetry?.(error, wait);
    await sleep(wait, signal).catch(() => {});
  }
}

/**
 * Reads one stream to its end.
 * @param {string} url
 * @param {RequestInit} request
 * @param {EventParser} parser a new one
 * @param {(reading: Reading) => void} take
 * @param {WatchOptions} options
 * @param {AbortSignal} signal
 */
async function listen(url, request, parser, take, { silence = 75_000, fetch = globalThis.fetch }, signal) {
  const attempt = limited(signal, silence);
  try {
    const answer = await fetch(url, { ...request, signal: attempt.signal });
    if (!answer.ok) throw await problem(answer);
    if (!answer.body || !/^text\/event-stream\b/i.test(answer.headers.get("content-type") ?? "")) {
      throw new CounterError(`${url} is no event stream`, { status: answer.status });
    }
    const reader = answer.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      attempt.restart();
      for (const event of parser.push(part.value)) if (event.type === "message") take(reading(url, event));
    }
  } finally {
    attempt.end();
  }
}

/** @param {string} url @param {import("./sse.js").ServerEvent} event @returns {Reading} */
function reading(url, { id, data }) {
  const value = Number(data);
  if (data === "" || !Number.isSafeInteger(value)) throw new CounterError(`${url} is no stream of a counter: ${data.slice(0, 80)}`, { status: 200 });
  return { id: /** @type {string} */ (id.split("@")[0]), value, event: id };
}
