/** One request with one answer: read, add. */
export type Options = import("./attempts.js").Options;
export declare function get(counter: import("./addresses.js").Counter, options?: Options): Promise<number>;
export declare function get(counters: import("./addresses.js").Counters, options?: Options): Promise<Map<string, number>>;
/**
 * Adds to a counter, once, however many tries it takes, and returns the value right after it.
 *
 * @param {import("./addresses.js").Counter} counter
 * @param {Options & { by?: number, key?: string }} [options] `by` is 1 unless given; `key` is the Idempotency-Key, a new one unless
 *   given: the same key counts once on the same counter within a day
 * @returns {Promise<number>}
 */
export declare function add(counter: import("./addresses.js").Counter, { by, key, ...options }?: Options & {
    by?: number;
    key?: string;
}): Promise<number>;
