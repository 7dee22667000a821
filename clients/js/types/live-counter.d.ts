export type News = {
    value: number;
    id?: string;
} | {
    error: Error;
};
/**
 * Calls `listener` with the present value and each new one.
 * @param {string} url of a counter (https://host/counters/2/), or of the hits of a page or a site (https://host/nocount?url=…)
 * @param {(news: News) => void} listener
 * @returns {() => void} ends it
 */
export declare function subscribe(url: string, listener: (news: News) => void): () => void;
/**
 * Adds to a counter, once, however often it must try.
 * @param {string} url
 * @param {{by?: number, key?: string}} [options] the same key counts once within a day
 * @returns {Promise<number>} the new value
 */
export declare function add(url: string, { by, key }?: {
    by?: number;
    key?: string;
}): Promise<number>;
