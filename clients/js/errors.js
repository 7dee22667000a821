// @ts-check
/** What went wrong with a request. */

/** The service has refused a request, or has not answered it in time. */
export class CounterError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, type?: string, detail?: string, retryAfter?: number, cause?: unknown }} [about]
   */
  constructor(message, { status = 0, type, detail, retryAfter, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "CounterError";
    /** The status of the answer; 0 if there was none. */
    this.status = status;
    /** The kind of problem, such as `urn:livecounter:problem:not-found`, if the service named it. */
    this.type = type;
    /** What is wrong, in the words of the service, if it said so. */
    this.detail = detail;
    /** Before so many milliseconds have passed, another try is of no use; undefined if the service did not say so. */
    this.retryAfter = retryAfter;
    /**
     * The Idempotency-Key of a failed `add`. Another `add` with this `key` counts only if no earlier one has.
     * @type {string | undefined}
     */
    this.key = undefined;
  }

  /** Whether the same request may succeed later: there was no answer, or the service is busy. */
  get temporary() {
    return [0, 408, 425, 429].includes(this.status) || this.status >= 500 && this.status !== 507;
  }
}

/**
 * The error that an answer stands for. Reads its body.
 * @param {Response} answer
 */
export async function problem(answer) {
  const { status } = answer;
  /** @type {{ type?: unknown, detail?: unknown }} */
  const { type, detail } = Object(await answer.json().catch(() => undefined));
  const text = typeof detail === "string" ? detail : undefined;
  return new CounterError(`${status}: ${text ?? (answer.statusText || "the service gave no reason")}`, {
    status,
    type: typeof type === "string" ? type : undefined,
    detail: text,
    retryAfter: delay(answer.headers.get("retry-after")),
  });
}

/** `Retry-After` in milliseconds: it has seconds or a date. @param {string | null} value */
function delay(value) {
  if (!value) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}
