/** Reads, adds to and watches counters of a livecounter service, in Node.js and in browsers. */
export { add, get } from "./requests.js";
export { CounterError } from "./errors.js";
export { watch } from "./watch.js";
export type Counter = import("./addresses.js").Counter;
export type Counters = import("./addresses.js").Counters;
export type Options = import("./attempts.js").Options;
export type Reading = import("./watch.js").Reading;
export type WatchOptions = import("./watch.js").WatchOptions;
/**
 * @typedef {import("./addresses.js").Counter} Counter
 * @typedef {import("./addresses.js").Counters} Counters
 * @typedef {import("./attempts.js").Options} Options
 * @typedef {import("./watch.js").Reading} Reading
 * @typedef {import("./watch.js").WatchOptions} WatchOptions
 */
