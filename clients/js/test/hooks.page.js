/** A page with a counter in each framework, which tests/browser/package.rs bundles and drives. */

import { createElement, StrictMode } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { createApp, createSSRApp, h, shallowRef } from "vue";
import { useCounter as useReactCounter } from "../react.js";
import { counter } from "../svelte.js";
import { useCounter as useVueCounter } from "../vue.js";

const text = ({ value, error }) => error?.message ?? value ?? "…";

function ReactViews({ url, initial = -1 }) {
  const state = useReactCounter(url, { initial });
  return createElement("button", { onClick: () => state.add({ by: 10 }) }, text(state));
}

const url = shallowRef("");
const VueViews = {
  props: { initial: { default: -1 } },
  setup({ initial }) {
    const { value, error, add } = useVueCounter(url, { initial });
    return () => h("button", { onClick: () => add({ by: 10 }) }, text({ value: value.value, error: error.value }));
  },
};

const root = createRoot(document.querySelector("#react"));
let app, stop;

Object.assign(globalThis, {
  /** Shows the counter at this address in all of them. */
  show(address) {
    url.value = address;
    root.render(createElement(StrictMode, null, createElement(ReactViews, { url: address })));
    if (!app) {
      app = createApp(VueViews);
      app.mount("#vue");
    }
    stop?.();
    const store = counter(address, { initial: -1 });
    stop = store.subscribe((state) => (document.querySelector("#svelte").textContent = text(state)));
  },
  /** Takes over what a server has rendered with this value. */
  hydrate(address, initial) {
    url.value = address;
    hydrateRoot(document.querySelector("#react-rendered"), createElement(ReactViews, { url: address, initial }));
    createSSRApp(VueViews, { initial }).mount("#vue-rendered");
  },
  hide() {
    root.render(null);
    app.unmount();
    stop();
  },
});
