import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import test from "node:test";
import { add, CounterError, get, watch } from "../core.js";
import { busy, newKey, relay, start } from "./service.js";

test("a counter is added to and read", async (t) => {
  const service = await start(t);
  assert.equal(await get(service.counter("2")), 0);
  assert.equal(await add(service.counter("2")), 1);
  assert.equal(await add({ base: service.base, id: "2" }, { by: 41 }), 42);
  assert.equal(await add(new URL(service.counter("2") + "#views"), { by: -2 }), 40);
  assert.equal(await get({ base: service.base + "/", id: "2" }), 40);
});

test("several counters are read in as few requests as possible", async (t) => {
  const service = await start(t);
  const { base, requests } = await relay(t, service.base);
  const ids = Array.from({ length: 45 }, (_, id) => `c-${id}`);
  await add(service.counter("c-7"), { by: 7 });
  const values = await get({ base, id: [...ids, "c-7"] });
  assert.deepEqual(values, new Map(ids.sort().map((id) => [id, id === "c-7" ? 7 : 0])));
  assert.equal(requests.length, 3);
  assert.deepEqual(await get([`${base}/counters/c-7/`, { base, id: "__proto__" }]), new Map([["__proto__", 0], ["c-7", 7]]));
  assert.equal(requests.length, 4);
});

test("what names no counter is refused before anything is sent", async (t) => {
  const { base, requests } = await relay(t, "http://127.0.0.1:1");
  for (const target of [{ base, id: "a/b" }, { base, id: ".." }, { base, id: "" }, { id: "2" }, "", {}, [], null, 2]) {
    await assert.rejects(get(target), TypeError, JSON.stringify(target));
  }
  for (const by of [0, 1.5, NaN, 2 ** 53, "1"]) await assert.rejects(add({ base, id: "2" }, { by }), RangeError);
  for (const address of ["counters/2/", "ftp://127.0.0.1/counters/2/", "https://", "https://user:secret@127.0.0.1/counters/2/"]) {
    for (const call of [get(address), add(address), watch(address).next()]) await assert.rejects(call, TypeError, address);
  }
  await assert.rejects(add({ base, id: "2" }, { key: "line\nbreak" }), TypeError);
  await assert.rejects(watch({ base, id: "2" }, { token: "Schlüssel 🔑" }).next(), TypeError);
  assert.deepEqual(requests, []);
});

test("a refusal carries its status and what the service says, and is no reason for another try", async (t) => {
  const service = await start(t, 'counters.known = ["1"]\n');
  const { base, requests } = await relay(t, service.base);
  const error = await get({ base, id: "2" }).catch((error) => error);
  assert.ok(error instanceof CounterError);
  assert.equal(error.status, 404);
  assert.equal(error.type, "urn:livecounter:problem:not-found");
  assert.ok(error.detail && error.message.includes(error.detail), error.message);
  await assert.rejects(add({ base, id: "1" }, { by: 1001 }), { status: 403, temporary: false });
  await assert.rejects(add({ base, id: "1" }, { key: "ä" }), /./);
  assert.equal(requests.filter(({ url }) => url.includes("2")).length, 1);
  await assert.rejects(get(`${base}/healthz`), { status: 200, message: /something else than a counter/ });
});

test("a lost answer is asked for again, and counts once", async (t) => {
  const service = await start(t);
  const far = await relay(t, service.base);
  far.lose = () => far.requests.length < 3;
  assert.equal(await add(far.counter("2"), { by: 5 }), 5);
  assert.equal(await get(service.counter("2")), 5);
  const keys = far.requests.map(({ headers }) => headers["idempotency-key"]);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  await add(far.counter("2"));
  assert.notEqual(far.requests.at(-1).headers["idempotency-key"], keys[0]);
});

test("an answer that breaks off is asked for again", async (t) => {
  const service = await start(t);
  const far = await relay(t, service.base);
  far.answer = (_request, response) => {
    if (far.requests.length > 1) return false;
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": 22 });
    response.write('{"id":"2",', () => response.destroy());
    return true;
  };
  assert.equal(await add(far.counter("2")), 1);
});

test("a busy service is given the time that it asks for", async (t) => {
  const service = await start(t);
  const far = await relay(t, service.base);
  far.answer = (_request, response) => far.requests.length < 2 && busy(response, { "Retry-After": "1" });
  const began = Date.now();
  assert.equal(await add(far.counter("2")), 1);
  assert.ok(Date.now() - began >= 1000, "it waited for Retry-After");

  far.answer = (_request, response) => busy(response, { "Retry-After": "3600" });
  const before = far.requests.length;
  await assert.rejects(get(far.counter("2")), { status: 503, retryAfter: 3_600_000, detail: "the store did not answer" });
  assert.equal(far.requests.length, before + 1, "it does not wait for an hour");
});

test("a failed addition can be gone on with by its key", async (t) => {
  const service = await start(t);
  const far = await relay(t, service.base);
  far.lose = () => true;
  const error = await add(far.counter("2"), { patience: 100 }).catch((error) => error);
  assert.equal(error.status, 0);
  assert.ok(error.temporary);
  far.lose = () => false;
  assert.equal(await add(far.counter("2"), { key: error.key }), 1);
  await assert.rejects(add(far.counter("2"), { key: error.key, by: 2 }), { status: 422 });
});

test("a service that accepts and never answers is given up when the patience ends", async (t) => {
  const far = await relay(t, "http://127.0.0.1:1");
  far.answer = () => true;
  for (const call of [get, add]) {
    await assert.rejects(call(far.counter("2"), { patience: 300 }), { name: "CounterError", status: 0, temporary: true });
  }
});

test("each request goes through the given fetch", async (t) => {
  const service = await start(t);
  const asked = [];
  const options = { fetch: (url, request) => (asked.push(`${request.method ?? "GET"} ${url}`), fetch(url, request)) };
  const counter = service.counter("2");
  await get(counter, options);
  await add(counter, options);
  const numbers = watch(counter, options);
  assert.equal((await numbers.next()).value.value, 1);
  await numbers.return();
  assert.deepEqual(asked, [`GET ${counter}`, `POST ${counter}`, `GET ${counter}`]);
});

test("an aborted request ends at once, in a try and between two", async (t) => {
  const far = await relay(t, "http://127.0.0.1:1");
  far.answer = () => true;
  for (const answer of [() => true, (_request, response) => busy(response, { "Retry-After": "20" })]) {
    far.answer = answer;
    const control = new AbortController();
    const reason = new Error("changed my mind");
    const before = far.requests.length;
    const asked = add(far.counter("2"), { signal: control.signal });
    setTimeout(() => control.abort(reason), 200);
    await assert.rejects(asked, (error) => error === reason);
    assert.equal(far.requests.length, before + 1);
    assert.equal(getEventListeners(control.signal, "abort").length, 0);
    await assert.rejects(get(far.counter("2"), { signal: control.signal }), (error) => error === reason);
  }
});

test("a key is sent where the service asks for one", async (t) => {
  const { secret, settings } = newKey("write:counters/shop-");
  const service = await start(t, `access.write = "key"\n${settings}`);
  await assert.rejects(add(service.counter("shop-1")), { status: 401 });
  assert.equal(await add(service.counter("shop-1"), { token: secret }), 1);
  await assert.rejects(add(service.counter("other"), { token: secret }), { status: 403 });
});
