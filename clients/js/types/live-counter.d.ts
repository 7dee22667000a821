/**
 * Live counters for any page: the element <live-counter>, and `subscribe` and `add` for scripts. https://github.com/fanout/livecounter
 *
 * All tabs of a site in one browser listen over one stream. The tab that holds the lock leads: it has the stream, and tells the
 * other tabs each value. A tab leaves when it is hidden for long, closed, or kept for the back button.
 *
 * @typedef {{value: number, id?: string} | {error: Error}} News `id` differs from value to value; error: what the service refuses
 * @typedef {(news: News) => void} Listener
 * @typedef {{tab?: string, topics?: string[], news?: [string, News][], leads?: boolean}} Message
 */
export type News = {
    value: number;
    id?: string;
} | {
    error: Error;
};
export type Listener = (news: News) => void;
export type Message = {
    tab?: string;
    topics?: string[];
    news?: [string, News][];
    leads?: boolean;
};
/**
 * Calls `listener` with the present value and each new one. All who listen to a service share one stream.
 * @param {string} url of a counter (https://host/counters/2/), or of the hits of a page or a site (https://host/nocount?url=…)
 * @param {Listener} listener
 * @returns {() => void} ends it
 */
export declare function subscribe(url: string, listener: Listener): () => void;
/**
 * Adds to a counter, once, however often it must try.
 * @param {string} url of the counter
 * @param {{by?: number, key?: string}} [options] the same key counts once within a day
 * @returns {Promise<number>} the new value
 */
export declare function add(url: string, { by, key }?: {
    by?: number;
    key?: string;
}): Promise<number>;
