/** Reads Server-Sent Events from bytes, as https://html.spec.whatwg.org/multipage/server-sent-events.html says. */
export type ServerEvent = {
    type: string;
    data: string;
    id: string;
};
export declare class EventParser {
    #private;
    /** The time before another connection, in milliseconds, if the server has named one. @type {number | undefined} */
    retry: number | undefined;
    /**
     * Takes the next bytes, cut anywhere, and returns the events that end in them.
     * @param {Uint8Array} bytes
     * @returns {ServerEvent[]}
     */
    push(bytes: Uint8Array): ServerEvent[];
}
