/** The real service as a program, and a relay before it that can fail. */

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const program = process.env.LIVECOUNTER_BIN;
if (!program) throw new Error("LIVECOUNTER_BIN must name the built program: cargo build, then target/debug/livecounter");

const env = { PATH: process.env.PATH, RUST_LOG: "info" };

/** Returns when the condition holds. Machines may be busy, so the deadline is long. */
export async function until(what, holds) {
  const deadline = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`never came: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** A service on a free port, with a directory of its own; it ends with the test. */
export async function start(t, settings = "") {
  const directory = mkdtempSync(join(tmpdir(), "livecounter-js-"));
  writeFileSync(join(directory, "settings.toml"), settings);
  let child;
  const service = {
    base: "",
    counter: (id) => `${service.base}/counters/${id}/`,
    /** Ends it at once, as a crash does. */
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGKILL");
      await ended;
    },
    /** Starts it, after a kill on the port that it had. */
    async start() {
      const port = service.base ? new URL(service.base).port : 0;
      const flags = ["serve", "--config", "settings.toml", "--listen", `127.0.0.1:${port}`];
      child = spawn(program, flags, { cwd: directory, env, stdio: ["ignore", "ignore", "pipe"] });
      const log = [];
      const address = new Promise((resolve, reject) => {
        createInterface({ input: child.stderr }).on("line", (line) => {
          log.push(line);
          const [, base] = /serving (http:\/\/[\d.:]+)\//.exec(line) ?? [];
          if (base) resolve(base);
        });
        child.once("error", reject);
        child.once("exit", (code) => reject(new Error(`the service has ended (${code}):\n${log.join("\n")}`)));
      });
      service.base = await address;
    },
  };
  t.after(async () => {
    await service.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  await service.start();
  return service;
}

/** A secret with these scopes, and the settings that know it. */
export function newKey(...scopes) {
  const flags = ["key", "new", "test", ...scopes.flatMap((scope) => ["--scope", scope])];
  const { stdout } = spawnSync(program, flags, { encoding: "utf8", env });
  const [secret, ...table] = stdout.split("\n");
  return { secret: secret.trim(), settings: table.join("\n") };
}

/**
 * A relay to the service. `answer` decides about each request: it may write to the response and return true, or else the request is
 * passed on; `lose` is asked when the service has answered, and true closes the connection in place of the answer. With `retry`, streams
 * name this time before another connection.
 */
export async function relay(t, base) {
  const open = new Set();
  const self = {
    base: "",
    /** Requests that got through, in their order. */
    requests: [],
    answer: (_request, _response) => false,
    lose: (_request) => false,
    /** @type {number | undefined} */
    retry: undefined,
    /** How many requests have no end yet. */
    open: () => open.size,
    /** Ends all connections. */
    cut: () => server.closeAllConnections(),
    counter: (id) => `${self.base}/counters/${id}/`,
  };
  const server = http.createServer((request, response) => {
    open.add(response);
    response.once("close", () => open.delete(response));
    self.requests.push({ method: request.method, url: request.url, headers: request.headers });
    if (self.answer(request, response)) return request.resume();
    const { method, url, headers } = request;
    const onward = http.request(base + url, { method, headers: { ...headers, host: new URL(base).host }, agent: false });
    onward.on("error", () => response.destroy());
    onward.on("response", (answer) => {
      answer.on("error", () => response.destroy());
      if (self.lose(request)) return answer.resume().on("end", () => request.socket.destroy());
      response.writeHead(answer.statusCode, answer.headers);
      if (self.retry === undefined) return answer.pipe(response);
      answer.setEncoding("latin1").on("end", () => response.end());
      answer.on("data", (text) => response.write(text.replace(/^retry: \d+/m, `retry: ${self.retry}`), "latin1"));
    });
    response.once("close", () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  self.base = `http://127.0.0.1:${server.address().port}`;
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return self;
}

/** Answers a request like a service whose store is away. */
export function busy(response, headers = {}) {
  response.writeHead(503, { "Content-Type": "application/problem+json", ...headers });
  response.end('{"type":"urn:livecounter:problem:unavailable","title":"Unavailable","status":503,"detail":"the store did not answer"}');
  return true;
}
