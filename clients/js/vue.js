// @ts-check
/** Counters in Vue 3.3 and later. */

import { onScopeDispose, shallowReadonly, shallowRef, toValue, watch } from "vue";
import { adder, before, follow } from "./live.js";

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
export function useCounter(url, { initial = null } = {}) {
  const value = shallowRef(initial);
  const error = shallowRef(/** @type {Error | null} */ (null));
  /** @param {import("./live.js").Live} state */
  const show = (state) => {
    value.value = state.value;
    error.value = state.error;
  };
  let stop = () => {};
  const listen = (/** @type {string} */ address, /** @type {string | undefined} */ previous) => {
    stop();
    if (previous !== undefined) show(before());
    stop = follow(address, before(value.value), show);
  };
  watch(() => toValue(url), listen, { immediate: true });
  onScopeDispose(() => stop());
  return { value: shallowReadonly(value), error: shallowReadonly(error), add: (options) => adder(toValue(url))(options) };
}
