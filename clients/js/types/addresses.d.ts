/** Which address a counter has, and how several counters share a request. */
export type Counter = string | URL | {
    base: string | URL;
    id: string;
};
export type Counters = readonly Counter[] | {
    base: string | URL;
    id: readonly string[];
};
/** @param {unknown} target @returns {target is Counters} */
export declare const areSeveral: (target: unknown) => target is Counters;
/**
 * The address of one counter.
 * @param {Counter} counter
 * @returns {string}
 */
export declare function address(counter: Counter): string;
/**
 * The addresses that have all of these counters, each once, with as few requests as possible.
 * @param {Counter | Counters} target
 * @returns {string[]}
 */
export declare function addresses(target: Counter | Counters): string[];
