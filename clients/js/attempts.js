// @ts-check
/** Tries, the time between them, and their end. */

import { CounterError } from "./errors.js";

/**
 * @typedef {object} Options
 * @property {AbortSignal} [signal] ends the request, and the waiting for another try
 * @property {string} [token] the secret of a key, or a ticket, for a service that asks for one
 * @property {number} [patience] for how many milliseconds to try; 30,000 unless given
 * @property {typeof globalThis.fetch} [fetch] in place of the global one
 */

/** A try without an answer ends after so many milliseconds. */
const ATTEMPT = 10_000;
const LONGEST_PAUSE = 30_000;

/** A time that grows with the failures and differs from client to client. @param {number} first @param {number} failures */
export const pause = (first, failures) => Math.min(first * 2 ** failures, LONGEST_PAUSE) * (0.5 + Math.random());

/**
 * Returns after that time, or throws the signal's reason as soon as the signal aborts.
 * @param {number} ms @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const end = () => (clearTimeout(timer), reject(signal?.reason));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", end), resolve()), ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/**
 * A signal of one try: it aborts with the caller's signal, or when the time is over, which `restart` gives anew.
 * @param {AbortSignal | undefined} outer @param {number} ms
 */
export function limited(outer, ms) {
  const own = new AbortController();
  const follow = () => own.abort(outer?.reason);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const restart = () => {
    clearTimeout(timer);
    timer = setTimeout(() => own.abort(new CounterError(`no byte within ${ms} ms`)), ms);
  };
  if (outer?.aborted) follow();
  else {
    outer?.addEventListener("abort", follow, { once: true });
    restart();
  }
  /** Ends the try, with its connection if the answer has not been read. */
  const end = () => {
    clearTimeout(timer);
    outer?.removeEventListener("abort", follow);
    own.abort();
  };
  return { signal: own.signal, restart, end };
}

/**
 * The request with these headers and the token. Throws a TypeError if it can never be sent, as another try would not mend that.
 * @param {string} url
 * @param {RequestInit & { headers: Record<string, string> }} request
 * @param {string | undefined} token
 * @returns {RequestInit}
 */
export function sendable(url, request, token) {
  const headers = token === undefined ? request.headers : { ...request.headers, Authorization: `Bearer ${token}` };
  /** @type {RequestInit} */
  const complete = { ...request, headers, cache: "no-store" };
  const { protocol } = new URL(new Request(url, complete).url);
  if (!/^https?:$/.test(protocol)) throw new TypeError(`${url} is no address of a service: it begins with neither http: nor https:`);
  return complete;
}

/**
 * Makes the request until there is an answer that another try would not change, and reads it.
 * @template T
 * @param {string} url
 * @param {RequestInit & { headers: Record<string, string> }} request one that is safe to repeat
 * @param {(answer: Response) => Promise<T>} read
 * @param {Options} options
 * @returns {Promise<T>}
 */
export async function attempts(url, request, read, { signal, token, patience = 30_000, fetch = globalThis.fetch }) {
  const deadline = Date.now() + patience;
  const complete = sendable(url, request, token);
  for (let failures = 0; ; failures++) {
    const left = Math.max(deadline - Date.now(), 1);
    const attempt = limited(signal, Math.min(ATTEMPT, left));
    /** @type {CounterError} */
    let error;
    try {
      return await read(await fetch(url, { ...complete, signal: attempt.signal }));
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      error = cause instanceof CounterError ? cause : noAnswer(url, cause);
    } finally {
      attempt.end();
    }
    const wait = pause(500, failures) + (error.retryAfter ?? 0);
    if (!error.temporary || Date.now() + wait > deadline) throw error;
    await sleep(wait, signal);
  }
}

/** @param {string} url @param {unknown} cause */
export const noAnswer = (url, cause) => new CounterError(`${url} gave no answer`, { cause });
