/** Counters in Vue 3.3 and later. */
import { adder } from "./live.js";
/**
 * The counter at `url`, live. All counters of a page share a connection, which ends with the component.
 *
 *     const { value, error, add } = useCounter("https://counters.example.com/counters/2/");
 *
 * @param {import("vue").MaybeRefOrGetter<string>} url
 * @param {{ initial?: number | null }} [options] `initial`: the value to show until the first one is there, which the server knows
 * @returns {{
 *   value: Readonly<import("vue").ShallowRef<number | null>>,
 *   error: Readonly<import("vue").ShallowRef<Error | null>>,
 *   add: ReturnType<typeof adder>,
 * }}
 */
export declare function useCounter(url: import("vue").MaybeRefOrGetter<string>, { initial }?: {
    initial?: number | null;
}): {
    value: Readonly<import("vue").ShallowRef<number | null>>;
    error: Readonly<import("vue").ShallowRef<Error | null>>;
    add: ReturnType<typeof adder>;
};
