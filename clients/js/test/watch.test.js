import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { getEventListeners, once } from "node:events";
import test from "node:test";
import { add, get, watch } from "../core.js";
import { busy, relay, start, until } from "./service.js";

const next = async (numbers) => {
  const { done, value } = await numbers.next();
  assert.equal(done, false);
  return value;
};

/** Takes values until one is this. */
async function reached(numbers, value) {
  for (;;) if ((await next(numbers)).value === value) return;
}

test("a loop gets the present value and each new one, and ends with break", async (t) => {
  const service = await start(t);
  const far = await relay(t, service.base);
  await add(service.counter("2"), { by: 26 });
  const values = [];
  for await (const { id, value, event } of watch(far.counter("2"))) {
    assert.equal(id, "2");
    assert.match(event, /^2@[0-9a-f]+-\d+$/);
    values.push(value);
    if (values.length === 3) break;
    await add(service.counter("2"));
  }
  assert.deepEqual(values, [26, 27, 28]);
  await until("the connection to end", () => far.open() === 0);
});

test("several counters share a connection, and many have few", async (t) => {
  const service = await start(t);
  const far = await relay(t, service.base);
  const numbers = watch([far.counter("1"), { base: far.base, id: "2" }]);
  const first = [await next(numbers), await next(numbers)].map(({ id, value }) => [id, value]);
  assert.deepEqual(first, [["1", 0], ["2", 0]]);
  await add(service.counter("2"), { by: 5 });
  const { id, value } = await next(numbers);
  assert.deepEqual([id, value], ["2", 5]);
  assert.deepEqual(far.requests.map(({ url }) => url), ["/counters/1,2/"]);
  await numbers.return();

  const ids = Array.from({ length: 45 }, (_, id) => `c-${id}`);
  const many = watch({ base: far.base, id: ids });
  const seen = new Set();
  while (seen.size < 45) seen.add((await next(many)).id);
  assert.equal(far.open(), 3);
  await many.return();
  await until("the connections to end", () => far.open() === 0);
});

test("the hits of a page are watched, too", async (t) => {
  const service = await start(t);
  const count = (kind) => fetch(`${service.base}/${kind}?url=www.example.com/a`);
  const numbers = watch(`${service.base}/nocount?url=www.example.com/a`);
  assert.equal((await next(numbers)).value, 0);
  await count("count");
  await reached(numbers, 1);
  await numbers.return();
});

test("a service that is killed and comes back is listened to again", async (t) => {
  const service = await start(t);
  const told = [];
  const numbers = watch(service.counter("2"), { onRetry: (error, wait) => told.push([error.status, wait]) });
  assert.equal((await next(numbers)).value, 0);
  const coming = next(numbers);
  await service.kill();
  await until("a failed connection", () => told.length > 1);
  await service.start();
  await add(service.counter("2"), { by: 7 });
  assert.equal((await coming).value, 7);
  await add(service.counter("2"));
  await reached(numbers, 8);
  assert.ok(told.every(([status, wait]) => status === 0 && wait >= 500 && wait <= 45_000), JSON.stringify(told));
  await numbers.return();
});

test("a busy service is tried again, later each time, and no value comes twice", async (t) => {
  const service = await start(t);
  const far = await relay(t, service.base);
  far.retry = 100;
  const told = [];
  const numbers = watch(far.counter("2"), { onRetry: (error, wait) => told.push([error.status, wait]) });
  assert.equal((await next(numbers)).value, 0);
  far.answer = (_request, response) => busy(response);
  far.cut();
  await until("two refusals", () => told.filter(([status]) => status === 503).length > 1);
  assert.ok(told.some(([status, wait]) => status === 503 && wait < 1000), "it keeps to the time that the service has named");
  far.answer = () => false;
  const coming = next(numbers);
  await until("the stream", () => far.open() === 1);
  await add(service.counter("2"), { by: 3 });
  assert.equal((await coming).value, 3);
  await numbers.return();
});

test("a stream without a byte counts as broken", async (t) => {
  const service = await start(t);
  const far = await relay(t, service.base);
  far.answer = () => far.requests.length < 3;
  const told = [];
  const numbers = watch(far.counter("2"), { silence: 200, onRetry: (error) => told.push(error.message) });
  assert.equal((await next(numbers)).value, 0);
  assert.deepEqual(told, ["no byte within 200 ms", "no byte within 200 ms"]);
  await numbers.return();
});

test("comments show that a quiet stream is not broken", async (t) => {
  const far = await relay(t, "http://127.0.0.1:1");
  const silence = 2000;
  far.answer = (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const timer = setInterval(() => response.write(":\n"), 100);
    setTimeout(() => response.write("id: 2@a-1\ndata: 26\n\n"), 1.5 * silence);
    response.once("close", () => clearInterval(timer));
    return true;
  };
  const numbers = watch(far.counter("2"), { silence });
  assert.equal((await next(numbers)).value, 26);
  assert.equal(far.requests.length, 1);
  await numbers.return();
});

test("what the service refuses is thrown once, and ends the watching", async (t) => {
  const service = await start(t, 'counters.known = ["1"]\n');
  const numbers = watch(service.counter("2"));
  await assert.rejects(numbers.next(), { status: 404 });
  assert.deepEqual(await numbers.next(), { done: true, value: undefined });
  await assert.rejects(watch(`${service.base}/healthz`).next(), /406|no event stream/);
  assert.throws(() => watch({ base: service.base, id: "a b" }), TypeError);
});

test("what is no stream of a counter is thrown", async (t) => {
  const far = await relay(t, "http://127.0.0.1:1");
  for (const [type, text] of [["text/html", "<p>Log in first</p>"], ["text/event-stream", "data: twelve\n\n"], ["text/event-stream", "data\n\n"]]) {
    far.answer = (_request, response) => {
      response.writeHead(200, { "Content-Type": type });
      response.write(text);
      return true;
    };
    await assert.rejects(watch(far.counter("2")).next(), { name: "CounterError", status: 200 }, text);
    await until("the connection to end", () => far.open() === 0);
  }
});

test("a slow loop gets the last value, and nothing piles up", async (t) => {
  const service = await start(t, 'publish.interval = "0ms"\n');
  const far = await relay(t, service.base);
  const numbers = watch(far.counter("2"));
  assert.equal((await next(numbers)).value, 0);
  for (let times = 0; times < 50; times++) await add(service.counter("2"));
  let latest;
  await until("the last value", async () => (latest = (await next(numbers)).value) === 50);
  assert.equal(latest, 50);
  const other = numbers.next();
  assert.equal(await Promise.race([other, Promise.resolve("none")]), "none");
  await numbers.return();
});

test("return ends a call that waits, and all later ones", async (t) => {
  const service = await start(t);
  const far = await relay(t, service.base);
  const control = new AbortController();
  const numbers = watch(far.counter("2"), { signal: control.signal });
  await next(numbers);
  const waiting = [numbers.next(), numbers.next()];
  assert.deepEqual(await numbers.return(), { done: true, value: undefined });
  for (const result of await Promise.all([...waiting, numbers.next()])) assert.equal(result.done, true);
  assert.equal(getEventListeners(control.signal, "abort").length, 0);
  await until("the connection to end", () => far.open() === 0);
  const requests = far.requests.length;
  await assert.rejects(numbers.throw(new Error("mine")), /mine/);
  const unused = watch(far.counter("2"));
  await unused.return();
  assert.equal((await unused.next()).done, true);
  assert.equal(far.requests.length, requests);
});

test("an abort is thrown to the loop, also while the service is away", async (t) => {
  const service = await start(t);
  for (const away of [false, true]) {
    const far = await relay(t, service.base);
    if (away) far.answer = (_request, response) => busy(response);
    const control = new AbortController();
    const reason = new Error("enough");
    const numbers = watch(far.counter("2"), { signal: control.signal });
    if (!away) await next(numbers);
    const waiting = numbers.next();
    await until("a request", () => far.requests.length > 0);
    control.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);
    assert.equal((await numbers.next()).done, true);
    assert.equal(getEventListeners(control.signal, "abort").length, 0);
    await until("the connection to end", () => far.open() === 0);
    await assert.rejects(watch(far.counter("2"), { signal: control.signal }).next(), (error) => error === reason);
  }
});

test("a program ends by itself when its loop has ended", async (t) => {
  const service = await start(t);
  const core = new URL("../core.js", import.meta.url).href;
  const script = `
    import { add, watch } from ${JSON.stringify(core)};
    for await (const { value } of watch(${JSON.stringify(service.counter("2"))})) {
      if (value === 2) break;
      await add(${JSON.stringify(service.counter("2"))});
    }
    console.log("left the loop");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill());
  const ended = once(child, "exit");
  const timeout = setTimeout(() => child.kill(), 20_000);
  assert.deepEqual(await ended, [0, null]);
  clearTimeout(timeout);
  assert.equal(await get(service.counter("2")), 2);
});
