import assert from "node:assert/strict";
import test from "node:test";
import { EventParser } from "../sse.js";

const bytes = (text) => new TextEncoder().encode(text);
const event = (data, id = "", type = "message") => ({ type, data, id });

function parse(parts) {
  const parser = new EventParser();
  const events = parts.flatMap((part) => parser.push(part));
  return { events, retry: parser.retry };
}

/** A stream with everything that the format has, and what parsers get wrong. */
const STREAM = [
  ":   a comment",
  "retry: 1789",
  "id: 2@ab-1",
  "event: message",
  "data: 26",
  "",
  "data:27",
  "unknown: field",
  "id",
  "",
  "id: kept",
  "",
  ":keep-alive",
  "event: gap",
  "data: ein Zähler: 🧮",
  "data",
  "data:  two spaces",
  "",
  "event: forgotten without data",
  "",
  "id: no\0good",
  "retry: 12 ms",
  "data:",
  "",
  "data: last",
  "",
  "data: never ended",
];
const EVENTS = [
  event("26", "2@ab-1"),
  event("27", ""),
  event("ein Zähler: 🧮\n\n two spaces", "kept", "gap"),
  event("", "kept"),
  event("last", "kept"),
];

for (const [name, end] of [["LF", "\n"], ["CR", "\r"], ["CRLF", "\r\n"]]) {
  test(`lines end with ${name}, wherever the bytes are cut`, () => {
    const whole = bytes("\ufeff" + STREAM.join(end));
    const expected = { events: EVENTS, retry: 1789 };
    assert.deepEqual(parse([whole]), expected);
    assert.deepEqual(parse([...whole].map((byte) => Uint8Array.of(byte))), expected);
    for (let cut = 0; cut <= whole.length; cut++) {
      assert.deepEqual(parse([whole.slice(0, cut), whole.slice(cut)]), expected, `cut at ${cut}`);
    }
  });
}

test("ends of lines may be mixed", () => {
  assert.deepEqual(parse([bytes("data: a\r\rdata: b\n\ndata: c\r\n\r\ndata: d\r\n\n")]).events, ["a", "b", "c", "d"].map((data) => event(data)));
});

test("an event is there as soon as its empty line is", () => {
  const parser = new EventParser();
  assert.deepEqual(parser.push(bytes("data: 1\r")), []);
  assert.deepEqual(parser.push(bytes("\n\r")), [event("1")]);
  assert.deepEqual(parser.push(bytes("\ndata: 2\r\n\r\n")), [event("2")]);
});

test("random cuts of random ends give the same events", () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  let state = seed;
  const below = (bound) => (state = (state * 48271) % 2147483647) % bound;
  for (let round = 0; round < 500; round++) {
    const text = STREAM.map((line) => line + ["\n", "\r", "\r\n"][below(3)]).join("");
    // A CR before a line that begins with LF would be one end in place of two.
    const whole = bytes(text.replace(/\r\n/g, "\u0001").replace(/\r(?=\n)/g, "\n").replaceAll("\u0001", "\r\n"));
    const once = parse([whole]);
    const parts = [];
    for (let at = 0; at < whole.length; ) parts.push(whole.slice(at, (at += below(9))));
    assert.deepEqual(parse(parts), once, `SEED=${seed}`);
  }
});

test("an event without end is refused, and not kept", () => {
  const parser = new EventParser();
  const part = bytes("x".repeat(65536));
  assert.throws(() => {
    for (let times = 0; times < 32; times++) parser.push(part);
  }, RangeError);
  const lines = new EventParser();
  assert.throws(() => {
    for (let times = 0; times < 32; times++) lines.push(bytes(`data: ${"x".repeat(65536)}\n`));
  }, RangeError);
});
