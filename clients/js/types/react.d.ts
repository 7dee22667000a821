/** Counters in React 18 and later. */
import { adder } from "./live.js";
/**
 * The counter at `url`, live. All counters of a page share a connection.
 *
 *     const { value, error, add } = useCounter("https://counters.example.com/counters/2/");
 *
 * @param {string} url
 * @param {{ initial?: number | null }} [options] `initial`: the value to show until the first one is there, which the server knows
 * @returns {import("./live.js").Live & { add: ReturnType<typeof adder> }}
 */
export declare function useCounter(url: string, { initial }?: {
    initial?: number | null;
}): import("./live.js").Live & {
    add: ReturnType<typeof adder>;
};
