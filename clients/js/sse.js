// @ts-check
/** Reads Server-Sent Events from bytes, as https://html.spec.whatwg.org/multipage/server-sent-events.html says. */

/** @typedef {{ type: string, data: string, id: string }} ServerEvent */

/** A line or an event with more characters is no event of a counter, and is not kept in memory. */
const MOST = 1 << 20;

export class EventParser {
  #decoder = new TextDecoder();
  /** What has arrived of a line. */
  #line = "";
  /** Whether the last character was a CR, which a LF may follow. */
  #afterReturn = false;
  #type = "";
  /** @type {string[]} */
  #data = [];
  #id = "";

  /** The time before another connection, in milliseconds, if the server has named one. @type {number | undefined} */
  retry = undefined;

  /**
   * Takes the next bytes, cut anywhere, and returns the events that end in them.
   * @param {Uint8Array} bytes
   * @returns {ServerEvent[]}
   */
  push(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return [];
    if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1);
    this.#afterReturn = text.endsWith("\r");
    const lines = text.split(/\r\n|\n|\r/);
    lines[0] = this.#line + lines[0];
    this.#line = lines.pop() ?? "";
    const events = lines.flatMap((line) => this.#take(line) ?? []);
    if (this.#line.length + this.#data.reduce((sum, { length }) => sum + length, 0) > MOST) throw new RangeError("an event without end");
    return events;
  }

  /** @param {string} line @returns {ServerEvent | undefined} */
  #take(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return undefined;
  }

  #dispatch() {
    const event = { type: this.#type || "message", data: this.#data.join("\n"), id: this.#id };
    const complete = this.#data.length > 0;
    this.#type = "";
    this.#data = [];
    return complete ? event : undefined;
  }
}
