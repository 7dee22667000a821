// @ts-check
/** Which address a counter has, and how several counters share a request. */

/**
 * One counter: its address (`https://counters.example.com/counters/2/`), or the address of the service and the id. An address of the
 * hits of a page (`https://counters.example.com/nocount?url=…`) works in the same way.
 * @typedef {string | URL | { base: string | URL, id: string }} Counter
 */

/**
 * Several counters.
 * @typedef {readonly Counter[] | { base: string | URL, id: readonly string[] }} Counters
 */

/** The service answers for at most so many counters in one request. */
const MOST = 20;

/** @param {unknown} target @returns {target is Counters} */
export const areSeveral = (target) =>
  Array.isArray(target) || (typeof target === "object" && target !== null && "id" in target && Array.isArray(target.id));

/**
 * The address of one counter.
 * @param {Counter} counter
 * @returns {string}
 */
export function address(counter) {
  // A fragment is for the page that the address came from; a query would go behind it.
  if (typeof counter === "string" && counter !== "") return /** @type {string} */ (counter.split("#")[0]);
  if (counter instanceof URL) return address(counter.href);
  const { base, id } = Object(counter);
  if (!base) throw new TypeError("a counter is named by its address, or by { base, id }");
  if (!/^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,64}$/.test(id)) {
    throw new TypeError(`${JSON.stringify(id)} is no id of a counter: an id is 1 to 64 of A-Z a-z 0-9 . _ ~ -`);
  }
  return `${String(base).replace(/\/+$/, "")}/counters/${id}/`;
}

/**
 * The addresses that have all of these counters, each once, with as few requests as possible.
 * @param {Counter | Counters} target
 * @returns {string[]}
 */
export function addresses(target) {
  if (!areSeveral(target)) return [address(target)];
  const counters = "base" in target ? target.id.map((id) => ({ base: target.base, id })) : target;
  if (counters.length === 0) throw new TypeError("there is no counter in the list");
  /** @type {Map<string, Set<string>>} */
  const lists = new Map();
  /** @type {Set<string>} */
  const single = new Set();
  for (const one of counters.map(address)) {
    const [, list, id] = /^(.*\/counters\/)([^/?,]+)\/?$/.exec(one) ?? [];
    if (list === undefined || id === undefined) single.add(one);
    else lists.set(list, (lists.get(list) ?? new Set()).add(id));
  }
  const shared = [...lists].flatMap(([list, ids]) => parts([...ids]).map((part) => `${list}${part.join(",")}/`));
  return [...shared, ...single];
}

/** @param {string[]} ids */
function parts(ids) {
  return Array.from({ length: Math.ceil(ids.length / MOST) }, (_, part) => ids.slice(part * MOST, (part + 1) * MOST));
}
