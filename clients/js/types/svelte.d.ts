/** Counters as stores of Svelte, or of anything else that knows such stores. */
/**
 * The counter at `url` as a store of `{ value, error }`, live while something subscribes to it. All counters of a page share a connection.
 *
 *     const views = counter("https://counters.example.com/counters/2/");
 *     // in the markup: {$views.value ?? "…"} <button onclick={() => views.add()}>+1</button>
 *
 * @param {string} url
 * @param {{ initial?: number | null }} [options] `initial`: the value to show until the first one is there, which the server knows
 */
export declare function counter(url: string, { initial }?: {
    initial?: number | null;
}): {
    /**
     * Calls `run` with the present state and each new one.
     * @param {(state: import("./live.js").Live) => void} run
     * @returns {() => void} ends it
     */
    subscribe(run: (state: import("./live.js").Live) => void): () => void;
    add: (options?: import("./live.js").AddOptions) => Promise<number>;
};
