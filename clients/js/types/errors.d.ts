/** What went wrong with a request. */
/** The service has refused a request, or has not answered it in time. */
export declare class CounterError extends Error {
    /** The status of the answer; 0 if there was none. */
    status: number;
    /** The kind of problem, such as `urn:livecounter:problem:not-found`, if the service named it. */
    type: string | undefined;
    /** What is wrong, in the words of the service, if it said so. */
    detail: string | undefined;
    /** Before so many milliseconds have passed, another try is of no use; undefined if the service did not say so. */
    retryAfter: number | undefined;
    /**
     * The Idempotency-Key of a failed `add`. Another `add` with this `key` counts only if no earlier one has.
     * @type {string | undefined}
     */
    key: string | undefined;
    /**
     * @param {string} message
     * @param {{ status?: number, type?: string, detail?: string, retryAfter?: number, cause?: unknown }} [about]
     */
    constructor(message: string, { status, type, detail, retryAfter, cause }?: {
        status?: number;
        type?: string;
        detail?: string;
        retryAfter?: number;
        cause?: unknown;
    });
    /** Whether the same request may succeed later: there was no answer, or the service is busy. */
    get temporary(): boolean;
}
/**
 * The error that an answer stands for. Reads its body.
 * @param {Response} answer
 */
export declare function problem(answer: Response): Promise<CounterError>;
