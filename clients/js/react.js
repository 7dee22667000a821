// @ts-check
/** Counters in React 18 and later. */

import { useCallback, useMemo, useSyncExternalStore } from "react";
import { adder, before, follow } from "./live.js";

/**
 * The counter at `url`, live. All counters of a page share a connection.
 *
 *     const { value, error, add } = useCounter("https://counters.example.com/counters/2/");
 *
 * @param {string} url
 * @param {{ initial?: number | null }} [options] `initial`: the value to show until the first one is there, which the server knows
 * @returns {import("./live.js").Live & { add: ReturnType<typeof adder> }}
 */
export function useCounter(url, { initial = null } = {}) {
  const store = useMemo(() => {
    let state = before(initial);
    return {
      first: state,
      get: () => state,
      /** @param {() => void} changed */
      subscribe: (changed) => follow(url, state, (next) => ((state = next), changed())),
    };
    // The first value stays the one that the server has rendered with.
  }, [url]);
  const state = useSyncExternalStore(store.subscribe, store.get, () => store.first);
  const add = useCallback(adder(url), [url]);
  return { ...state, add };
}
