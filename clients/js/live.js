// @ts-check
/** The live state of counters, as the hooks of the frameworks show it. */

import { add, subscribe } from "./live-counter.js";

/**
 * What is known of a counter: its value, null until the first one is there; and why there is no newer one, null if all is well.
 * @typedef {{ readonly value: number | null, readonly error: Error | null }} Live
 */

/** @typedef {{ by?: number, key?: string }} AddOptions */

/**
 * The state before the first value. A server that renders a page can give the value that it has read.
 * @param {number | null} [initial]
 * @returns {Live}
 */
export const before = (initial = null) => ({ value: initial, error: null });

/**
 * Calls `show` with each new state. Only pages listen; where a server renders the page, this does nothing.
 * @param {string} url
 * @param {Live} state the one that is shown now
 * @param {(state: Live) => void} show
 * @returns {() => void} ends it
 */
export function follow(url, state, show) {
  if (typeof document === "undefined") return () => {};
  /** @param {Error} error */
  const fail = (error) => show((state = { value: state.value, error }));
  try {
    return subscribe(url.replace(/(\/counters\/[^/?#]+)$/, "$1/"), (news) => ("error" in news ? fail(news.error) : show((state = { value: news.value, error: null }))));
  } catch (error) {
    // An address that names no number is shown like a refusal, so that one component cannot end the page.
    fail(/** @type {Error} */ (error));
    return () => {};
  }
}

/**
 * Adds 1 to the counter, or `by`, and returns the new value.
 * @param {string} url
 * @returns {(options?: AddOptions) => Promise<number>}
 */
export const adder = (url) => (options) => add(url, options);
