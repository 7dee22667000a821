/** Tries, the time between them, and their end. */
import { CounterError } from "./errors.js";
export type Options = {
    /**
     * ends the request, and the waiting for another try
     */
    signal?: AbortSignal;
    /**
     * the secret of a key, or a ticket, for a service that asks for one
     */
    token?: string;
    /**
     * for how many milliseconds to try; 30,000 unless given
     */
    patience?: number;
    /**
     * in place of the global one
     */
    fetch?: typeof globalThis.fetch;
};
/** A time that grows with the failures and differs from client to client. @param {number} first @param {number} failures */
export declare const pause: (first: number, failures: number) => number;
/**
 * Returns after that time, or throws the signal's reason as soon as the signal aborts.
 * @param {number} ms @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export declare function sleep(ms: number, signal?: AbortSignal): Promise<void>;
/**
 * A signal of one try: it aborts with the caller's signal, or when the time is over, which `restart` gives anew.
 * @param {AbortSignal | undefined} outer @param {number} ms
 */
export declare function limited(outer: AbortSignal | undefined, ms: number): {
    signal: AbortSignal;
    restart: () => void;
    end: () => void;
};
/**
 * The request with these headers and the token. Throws a TypeError if it can never be sent, as another try would not mend that.
 * @param {string} url
 * @param {RequestInit & { headers: Record<string, string> }} request
 * @param {string | undefined} token
 * @returns {RequestInit}
 */
export declare function sendable(url: string, request: RequestInit & {
    headers: Record<string, string>;
}, token: string | undefined): RequestInit;
/**
 * Makes the request until there is an answer that another try would not change, and reads it.
 * @template T
 * @param {string} url
 * @param {RequestInit & { headers: Record<string, string> }} request one that is safe to repeat
 * @param {(answer: Response) => Promise<T>} read
 * @param {Options} options
 * @returns {Promise<T>}
 */
export declare function attempts<T>(url: string, request: RequestInit & {
    headers: Record<string, string>;
}, read: (answer: Response) => Promise<T>, { signal, token, patience, fetch }: Options): Promise<T>;
/** @param {string} url @param {unknown} cause */
export declare const noAnswer: (url: string, cause: unknown) => CounterError;
