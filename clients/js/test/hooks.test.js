/** What the hooks of the frameworks render on a server, and what they keep open there: nothing. In pages, tests/browser tries them. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import test from "node:test";
import { createElement as h } from "react";
import { renderToString as renderReact } from "react-dom/server";
import { compile } from "svelte/compiler";
import { render as renderSvelte } from "svelte/server";
import { createSSRApp, h as hVue, ref } from "vue";
import { renderToString as renderVue } from "vue/server-renderer";
import { useCounter as useReactCounter } from "../react.js";
import { counter } from "../svelte.js";
import { useCounter as useVueCounter } from "../vue.js";

const url = "http://127.0.0.1:1/counters/2/";

test("React renders the value that the server knows, or none", () => {
  const Views = ({ initial }) => {
    const { value, error, add } = useReactCounter(url, { initial });
    return h("b", null, `${value ?? "…"} ${error} ${typeof add}`);
  };
  assert.equal(renderReact(h(Views)), "<b>… null function</b>");
  assert.equal(renderReact(h(Views, { initial: 26 })), "<b>26 null function</b>");
});

test("Vue renders the value that the server knows, or none", async () => {
  const views = (options, address = url) => ({
    setup() {
      const { value, error, add } = useVueCounter(address, options);
      return () => hVue("b", `${value.value ?? "…"} ${error.value} ${typeof add}`);
    },
  });
  assert.equal(await renderVue(createSSRApp(views())), "<b>… null function</b>");
  assert.equal(await renderVue(createSSRApp(views({ initial: 26 }, ref(url)))), "<b>26 null function</b>");
  assert.equal(await renderVue(createSSRApp(views({ initial: 26 }, () => url))), "<b>26 null function</b>");
});

test("Svelte renders the value that the server knows, or none", async (t) => {
  const source = `<script>let { views } = $props();</script><b>{$views.value ?? "…"} {$views.error}</b>`;
  const { js } = compile(source, { generate: "server", filename: "Views.svelte" });
  // Beside this file, so that the compiled component finds Svelte.
  const file = new URL("./views.compiled.js", import.meta.url);
  t.after(() => rm(file, { force: true }));
  writeFileSync(file, js.code);
  const { default: Views } = await import(file.href);
  const body = (options) => renderSvelte(Views, { props: { views: counter(url, options) } }).body.replace(/<!--.*?-->/g, "");
  assert.equal(body(), "<b>… </b>");
  assert.equal(body({ initial: 26 }), "<b>26 </b>");
});

test("a store calls each reader with the present state at once", () => {
  const views = counter(url, { initial: 26 });
  const seen = [];
  const run = (state) => seen.push(state);
  const stops = [views.subscribe(run), views.subscribe(run)];
  assert.deepEqual(seen, [{ value: 26, error: null }, { value: 26, error: null }]);
  for (const stop of [...stops, ...stops]) stop();
});
