// @ts-check
/** Counters as stores of Svelte, or of anything else that knows such stores. */

import { adder, before, follow } from "./live.js";

/**
 * The counter at `url` as a store of `{ value, error }`, live while something subscribes to it. All counters of a page share a connection.
 *
 *     const views = counter("https://counters.example.com/counters/2/");
 *     // in the markup: {$views.value ?? "…"} <button onclick={() => views.add()}>+1</button>
 *
 * @param {string} url
 * @param {{ initial?: number | null }} [options] `initial`: the value to show until the first one is there, which the server knows
 */
export function counter(url, { initial = null } = {}) {
  let state = before(initial);
  /** @type {Set<{ run: (state: import("./live.js").Live) => void }>} */
  const readers = new Set();
  let stop = () => {};
  const show = (/** @type {import("./live.js").Live} */ next) => {
    state = next;
    for (const reader of readers) reader.run(state);
  };
  return {
    /**
     * Calls `run` with the present state and each new one.
     * @param {(state: import("./live.js").Live) => void} run
     * @returns {() => void} ends it
     */
    subscribe(run) {
      const reader = { run };
      readers.add(reader);
      run(state);
      if (readers.size === 1) stop = follow(url, state, show);
      return () => {
        if (readers.delete(reader) && readers.size === 0) stop();
      };
    },
    add: adder(url),
  };
}
