/** The live state of counters, as the hooks of the frameworks show it. */
export type Live = {
    readonly value: number | null;
    readonly error: Error | null;
};
export type AddOptions = {
    by?: number;
    key?: string;
};
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
export declare const before: (initial?: number | null) => Live;
/**
 * Calls `show` with each new state. Only pages listen; where a server renders the page, this does nothing.
 * @param {string} url
 * @param {Live} state the one that is shown now
 * @param {(state: Live) => void} show
 * @returns {() => void} ends it
 */
export declare function follow(url: string, state: Live, show: (state: Live) => void): () => void;
/**
 * Adds 1 to the counter, or `by`, and returns the new value.
 * @param {string} url
 * @returns {(options?: AddOptions) => Promise<number>}
 */
export declare const adder: (url: string) => (options?: AddOptions) => Promise<number>;
