// @ts-check
/** One request with one answer: read, add. */

import { address, addresses, areSeveral } from "./addresses.js";
import { attempts } from "./attempts.js";
import { CounterError, problem } from "./errors.js";

/** @typedef {import("./attempts.js").Options} Options */

/**
 * The value of a counter, or a map of the values of several by their ids.
 *
 * @overload
 * @param {import("./addresses.js").Counter} counter
 * @param {Options} [options]
 * @returns {Promise<number>}
 */
/**
 * @overload
 * @param {import("./addresses.js").Counters} counters
 * @param {Options} [options]
 * @returns {Promise<Map<string, number>>}
 */
/**
 * @param {import("./addresses.js").Counter | import("./addresses.js").Counters} target
 * @param {Options} [options]
 * @returns {Promise<number | Map<string, number>>}
 */
export async function get(target, options = {}) {
  const request = { headers: { Accept: "application/json" } };
  const answers = await Promise.all(addresses(target).map((url) => attempts(url, request, json, options)));
  const entries = answers.flat();
  if (areSeveral(target)) return new Map(entries.map((entry) => [String(entry.id ?? entry.topic), number(entry)]));
  if (entries.length !== 1) throw new TypeError("this address has several counters: name each of them in an array");
  return number(entries[0]);
}

/**
 * Adds to a counter, once, however many tries it takes, and returns the value right after it.
 *
 * @param {import("./addresses.js").Counter} counter
 * @param {Options & { by?: number, key?: string }} [options] `by` is 1 unless given; `key` is the Idempotency-Key, a new one unless
 *   given: the same key counts once on the same counter within a day
 * @returns {Promise<number>}
 */
export async function add(counter, { by = 1, key = newKey(), ...options } = {}) {
  if (!Number.isSafeInteger(by) || by === 0) throw new RangeError(`by must be a whole number other than 0, not ${by}`);
  const url = address(counter);
  const request = {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json", "Idempotency-Key": key },
    body: JSON.stringify({ by }),
  };
  try {
    return number(await attempts(url, request, json, options));
  } catch (error) {
    if (error instanceof CounterError) error.key = key;
    throw error;
  }
}

/** @param {Response} answer @returns {Promise<any>} */
async function json(answer) {
  if (!answer.ok) throw await problem(answer);
  // A body that is cut off is no answer, so that the request is made again; one that is no JSON is an answer of another service.
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CounterError(`${answer.url} answered with something else than a counter`, { status: answer.status, cause });
  }
}

/** @param {any} entry */
function number(entry) {
  if (Number.isSafeInteger(entry?.value)) return entry.value;
  throw new CounterError("the answer has no value of a counter", { status: 200 });
}

/** A key that no other request has. */
function newKey() {
  const { crypto } = globalThis;
  // Pages without TLS have no randomUUID, and scripts of Node.js 18 no crypto. Keys need to differ, not to be secret.
  const words = crypto ? [...crypto.getRandomValues(new Uint32Array(4))] : Array.from({ length: 4 }, () => Math.random() * 2 ** 32);
  return words.map((word) => Math.floor(word).toString(36)).join("-");
}
