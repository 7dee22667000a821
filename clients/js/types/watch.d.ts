/** The values of counters as they change. */
import { CounterError } from "./errors.js";
export type Reading = {
    id: string;
    value: number;
    event: string;
};
export type WatchOptions = {
    /**
     * ends the watching: the iterator throws its reason
     */
    signal?: AbortSignal;
    /**
     * the secret of a key, or a ticket, for a service that asks for one
     */
    token?: string;
    /**
     * after so many milliseconds without a byte the connection counts as broken; 75,000 unless given. The
     * service sends one every 20 s (`streams.keep_alive`)
     */
    silence?: number;
    /**
     * is told why a connection ended, and in how many milliseconds there
     * will be another
     */
    onRetry?: (error: CounterError, wait: number) => void;
    /**
     * in place of the global one
     */
    fetch?: typeof globalThis.fetch;
};
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
export declare function watch(target: import("./addresses.js").Counter | import("./addresses.js").Counters, options?: WatchOptions): AsyncIterableIterator<Reading>;
export type Caller = {
    resolve: (result: IteratorResult<Reading>) => void;
    reject: (error: unknown) => void;
};
