// @ts-check
/** Reads, adds to and watches counters of a livecounter service, in Node.js and in browsers. */

export { add, get } from "./requests.js";
export { CounterError } from "./errors.js";
export { watch } from "./watch.js";

/**
 * @typedef {import("./addresses.js").Counter} Counter
 * @typedef {import("./addresses.js").Counters} Counters
 * @typedef {import("./attempts.js").Options} Options
 * @typedef {import("./watch.js").Reading} Reading
 * @typedef {import("./watch.js").WatchOptions} WatchOptions
 */
