/**
 * Live counters for any page: the element <live-counter>, and `subscribe` and `add` for scripts. https://github.com/fanout/livecounter
 *
 * All tabs of a site in one browser listen over one stream. The tab that holds the lock leads: it has the stream, and tells the
 * other tabs each value. A tab leaves when it is hidden for long, closed, or kept for the back button.
 *
 * @typedef {{value: number, id?: string} | {error: Error}} News `id` differs from value to value; error: what the service refuses
 * @typedef {(news: News) => void} Listener
 * @typedef {{tab?: string, topics?: string[], news?: [string, News][], leads?: boolean}} Message
 */

/** Tabs understand each other if this name is the same. Change it with the messages. */
const PROTOCOL = "live-counter/1";
/** One stream carries at most 20 numbers. */
const MOST = 20;
/** In milliseconds: until a hidden tab leaves; between two announcements; until a leader that does not answer is replaced. */
const [QUIET, BEAT, DOUBT] = [30000, 15000, 5000];

const page = globalThis.document;
const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
/** About 1 s at first, twice as long after each failure, at most 30 s, and different in each browser. */
const pause = (failures) => Math.min(1000 * 2 ** failures, 30000) * (0.5 + Math.random());
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
/** Calls `act` once, soon after the last of several calls. */
const soon = (act, ms, timer) => () => {
  clearTimeout(timer);
  timer = setTimeout(act, ms);
};

/** @type {Map<string, ReturnType<typeof connect>>} By the address of the service. */
const services = new Map();

/** The numbers of one service, by their topics. */
function connect(base) {
  /** @type {Map<string, Set<Listener>>} */
  const listeners = new Map();
  /** @type {Map<string, News>} */
  const latest = new Map();
  /** What the other tabs want, if this tab leads. */
  const tabs = new Map();
  const name = `${PROTOCOL} ${base}`;
  const self = newKey();
  let streams = [];
  let joined, leads, channel, beat, doubt, candidacy, resign;

  const url = (topics) => `${base}topics/${topics.map(encodeURIComponent).join().replaceAll("%3A", ":")}/`;
  /** @param {Message} message */
  const post = (message) => channel?.postMessage(message);

  const show = ([topic, news]) => {
    const known = latest.get(topic);
    if (known && !news.error && (!news.id || known.id === news.id)) return; // Without an id it may be older.
    latest.set(topic, news);
    for (const listener of listeners.get(topic) ?? []) queueMicrotask(() => listener(news));
  };
  const spread = (topic, news) => {
    show([topic, news]);
    post({ news: [[topic, news]] });
  };

  // The leader.

  const open = (topics) => {
    let source, timer, failures = 0;
    const start = () => {
      close();
      source = new EventSource(url(topics));
      source.onmessage = ({ data, lastEventId }) => {
        failures = 0;
        const id = lastEventId.split("@")[0]; // Of a counter this is its id, of all others the name of the topic.
        spread(topics.includes(id) ? id : `counter-${id}`, { value: +data, id: lastEventId });
      };
      source.onerror = () => {
        const refused = source.readyState === 2;
        close();
        timer = setTimeout(start, pause(failures++));
        if (refused) examine(topics);
      };
    };
    const close = () => {
      clearTimeout(timer);
      source?.close();
    };
    start();
    return { topics, start, close };
  };

  /** Finds out which topics the service refuses, so that the others get their stream. */
  const examine = async (topics) => {
    const error = await refusal(url(topics));
    if (!error || !leads) return;
    if (topics.length > 1) return topics.forEach((topic) => examine([topic]));
    spread(topics[0], { error });
    arrange();
  };

  const arrange = soon(() => {
    if (!leads) return;
    for (const [tab, { at }] of tabs) if (Date.now() - at > 3 * BEAT) tabs.delete(tab);
    const wanted = new Set([...listeners.keys(), ...[...tabs.values()].flatMap(({ topics }) => topics)]);
    const bad = (topic) => latest.get(topic)?.error;
    for (const topic of wanted) if (bad(topic)) wanted.delete(topic);
    const isOfUse = ({ topics }) => topics.some((topic) => wanted.has(topic)) && !topics.some(bad);
    streams = streams.filter((stream) => isOfUse(stream) || stream.close());
    const covered = streams.flatMap(({ topics }) => topics);
    if ([...wanted].every((topic) => covered.includes(topic))) return;
    streams.forEach((stream) => stream.close());
    const topics = [...wanted].sort();
    streams = [];
    while (topics.length) streams.push(open(topics.splice(0, MOST)));
  }, 30);

  const lead = () => {
    leads = true;
    clearTimeout(doubt);
    for (const [topic, { error }] of latest) if (error) latest.delete(topic);
    post({ leads });
    arrange();
  };

  const follow = () => {
    leads = false;
    tabs.clear();
    streams.forEach((stream) => stream.close());
    streams = [];
  };

  // Every tab.

  /** Waits for the lock, or takes it from a leader that does not answer. */
  const compete = (steal) => {
    candidacy?.abort();
    const mine = (candidacy = new AbortController());
    const { signal } = mine;
    const term = () => !signal.aborted && new Promise((done) => (lead(), (resign = done)));
    navigator.locks.request(name, steal ? { steal } : { signal }, term).catch(({ name }) => {
      if (mine !== candidacy || !joined) return;
      if (name !== "AbortError") return lead(); // Locks are forbidden here.
      follow(); // Another tab has taken the lock.
      compete();
    });
  };

  const announce = () => {
    if (leads) return arrange();
    post({ tab: self, topics: [...listeners.keys()] });
    clearTimeout(doubt);
    doubt = setTimeout(compete, DOUBT, true);
  };

  /** @param {{data: Message}} event */
  const hear = ({ data: { tab, topics, news, leads: other } }) => {
    if (other) announce();
    if (news) {
      clearTimeout(doubt);
      news.forEach(show);
    }
    if (!leads || !tab) return;
    if (topics.length) tabs.set(tab, { topics, at: Date.now() });
    else tabs.delete(tab);
    post({ news: topics.flatMap((topic) => (latest.has(topic) ? [[topic, latest.get(topic)]] : [])) });
    arrange();
  };

  const join = () => {
    if (joined || !listeners.size || page?.prerendering) return;
    joined = true;
    if (!navigator.locks || !globalThis.BroadcastChannel) return lead();
    channel = new BroadcastChannel(name);
    channel.onmessage = hear;
    compete();
    announce();
    beat = setInterval(announce, BEAT);
  };

  const leave = () => {
    joined = false;
    post({ tab: self, topics: [] });
    clearInterval(beat);
    clearTimeout(doubt);
    follow();
    candidacy?.abort();
    resign?.();
    channel?.close();
    channel = null;
    latest.clear(); // As a new leader, this tab must tell no value of before.
  };

  const settle = soon(() => {
    if (!listeners.size) return leave();
    if (joined) announce();
    else join();
  }, 20);

  return {
    join,
    leave,
    retry: () => streams.forEach((stream) => stream.start()),
    show,
    /** @param {string} topic @param {Listener} listener */
    listen(topic, listener) {
      if (!listeners.has(topic)) listeners.set(topic, new Set());
      const set = listeners.get(topic);
      set.add(listener);
      const news = latest.get(topic);
      if (news) queueMicrotask(() => listener(news));
      settle();
      return () => {
        set.delete(listener);
        if (!set.size && listeners.get(topic) === set) listeners.delete(topic);
        settle();
      };
    },
  };
}

const all = (act) => () => services.forEach((service) => service[act]());
let quiet;
const look = () => {
  clearTimeout(quiet);
  if (page?.hidden) quiet = setTimeout(all("leave"), QUIET);
  else all("join")();
};
look();
for (const [target, event, act] of [
  [globalThis, "pagehide", all("leave")],
  [globalThis, "pageshow", all("join")],
  [globalThis, "online", all("retry")],
  [page, "freeze", all("leave")],
  [page, "resume", all("join")],
  [page, "prerenderingchange", all("join")],
  [page, "visibilitychange", look],
]) target?.addEventListener?.(event, act);

const explain = async (answer) => {
  const { detail } = await answer.json().catch(() => ({}));
  return new Error(detail ?? `${answer.url} answered ${answer.status}`);
};
const isRefusal = ({ status }) => status > 399 && status < 500 && status !== 408 && status !== 429;
const read = (url) => fetch(url, { headers: { Accept: "application/json" } });
/** Why the service will never answer this; nothing if it does, or may do so later. */
const refusal = (url) => read(url).then((answer) => (isRefusal(answer) ? explain(answer) : undefined), () => {});

/**
 * Calls `listener` with the present value and each new one. All who listen to a service share one stream.
 * @param {string} url of a counter (https://host/counters/2/), or of the hits of a page or a site (https://host/nocount?url=…)
 * @param {Listener} listener
 * @returns {() => void} ends it
 */
export function subscribe(url, listener) {
  const { href } = new URL(url, page?.baseURI);
  if (!globalThis.EventSource) throw new Error("there is no EventSource here");
  const [, base, counter, topic] = href.match(/^(.*?\/)(?:counters\/([^/,?#]+)\/|topics\/([^/,?#]+)\/|nocount(?:\/site)?\/?\?.*)$/) ?? [];
  if (!base) throw new TypeError(`${href} is no number of a counter, a page or a site`);
  if (!services.has(base)) services.set(base, connect(base));
  const service = services.get(base);
  let stopped, stop;
  const listen = (topic) => (stop = service.listen(topic, (news) => stopped || listener(news)));
  const find = async () => {
    for (let failures = 0; !stopped; await sleep(pause(failures++))) {
      const answer = await read(href).catch(() => {});
      if (stopped || !answer) continue;
      if (isRefusal(answer)) return listener({ error: await explain(answer) });
      if (!answer.ok) continue;
      const { topic, value } = await answer.json();
      if (stopped) return;
      listen(topic);
      return service.show([topic, { value }]);
    }
  };
  if (counter) listen("counter-" + decodeURIComponent(counter));
  else if (topic) listen(decodeURIComponent(topic));
  else find();
  return () => {
    stopped = true;
    stop?.();
  };
}

/**
 * Adds to a counter, once, however often it must try.
 * @param {string} url of the counter
 * @param {{by?: number, key?: string}} [options] the same key counts once within a day
 * @returns {Promise<number>} the new value
 */
export async function add(url, { by = 1, key = newKey() } = {}) {
  for (let failures = 0; ; failures++) {
    let error;
    try {
      const body = JSON.stringify({ by });
      const answer = await fetch(url, { method: "POST", body, headers: { "Idempotency-Key": key }, keepalive: true });
      if (answer.ok) return Number(await answer.text());
      error = await explain(answer);
      if (isRefusal(answer)) failures = MOST;
    } catch (problem) {
      error = problem;
    }
    if (failures > 4) throw error;
    await sleep(pause(failures));
  }
}

/** Reads or writes what the browser keeps for the site; it may forbid that. */
const keep = (storage, name, value) => {
  try {
    return value == null ? globalThis[storage].getItem(name) : globalThis[storage].setItem(name, value);
  } catch {}
};

/** Own visits: https://site/#live-counter-off, and -on to count again. */
const [, off] = /^#live-counter-(off|on)$/.exec(globalThis.location?.hash) ?? [];
if (off) keep("localStorage", "live-counter", off);

const countsHere = () =>
  /^http/.test(location.protocol) &&
  !/^(localhost|127\..*|0\.0\.0\.0|\[::1\]|.*\.(local|localhost))$/.test(location.hostname) &&
  top === window &&
  keep("localStorage", "live-counter") !== "off";

/** What this page has counted: a browser may not let it keep that for the session. */
const counted = new Set();

/** Once per session: adds to the counter, or counts a hit of the page. */
async function count(number) {
  const url = number.replace("/nocount/site?", "/nocount?");
  if (counted.has(url)) return;
  counted.add(url);
  if (page.prerendering) await new Promise((done) => page.addEventListener("prerenderingchange", done, { once: true }));
  const name = `live-counter ${url}`;
  const before = keep("sessionStorage", name);
  if (before === "done" || !countsHere()) return;
  if (!url.endsWith("/")) {
    keep("sessionStorage", name, "done");
    return fetch(url.replace("/nocount?", "/count?"), { keepalive: true });
  }
  const key = before ?? newKey();
  keep("sessionStorage", name, key);
  await add(url, { key });
  keep("sessionStorage", name, "done");
}

if (globalThis.customElements && !customElements.get("live-counter")) {
  const style = new CSSStyleSheet();
  style.replaceSync(`:host{font-variant-numeric:tabular-nums}
:host([badge]){display:inline-block;font:11px/20px Verdana,DejaVu Sans,sans-serif;padding:0 6px;border-radius:3px;color:#fff;background:#07c}
:host([badge][label])::before{content:attr(label);background:#555;margin:0 6px 0 -6px;padding:0 6px;border-radius:3px 0 0 3px;display:inline-block}`);
  const formats = { "": {}, short: { notation: "compact", maximumFractionDigits: 1 }, plain: { useGrouping: false } };

  class LiveCounter extends HTMLElement {
    static observedAttributes = ["counter", "page", "site", "count", "src", "format", "lang"];
    /** @type {number | undefined} */
    value;
    #stop;
    #update = soon(() => {
      const before = this.#stop;
      this.#stop = this.isConnected ? this.#start() : null;
      before?.();
    }, 0);

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [style];
      root.append(page.createElement("slot"));
    }

    connectedCallback() {
      if (!this.hasAttribute("aria-live")) this.setAttribute("aria-live", "polite");
      this.#update();
    }

    disconnectedCallback() {
      this.#update();
    }

    attributeChangedCallback() {
      this.#update();
    }

    #warn(name, why) {
      console.warn(`<live-counter> ${name}="${this.getAttribute(name) ?? ""}": ${why}`);
    }

    /** The address of the number, or nothing if an attribute is wrong. */
    #url(kind) {
      const text = (this.getAttribute(kind) ?? "").trim();
      const src = this.getAttribute("src");
      let base;
      try {
        base = src ? new URL(src.replace(/\/*$/, "/"), page.baseURI) : new URL("./", import.meta.url);
      } catch {
        return this.#warn("src", "no address of a service");
      }
      if (kind !== "counter") {
        const address = encodeURIComponent(text || location.host + location.pathname);
        return `${base}nocount${kind === "site" ? "/site" : ""}?url=${address}`;
      }
      if (/^[\w.~-]{1,64}$/.test(text)) return `${base}counters/${text}/`;
      this.#warn(kind, "no id of a counter");
    }

    #numbers() {
      const format = this.getAttribute("format") ?? "";
      const options = formats[format] ?? this.#warn("format", "neither short nor plain");
      const lang = this.closest("[lang]")?.lang || undefined;
      try {
        return new Intl.NumberFormat(lang, options);
      } catch {
        this.#warn("lang", "no language");
        return new Intl.NumberFormat(undefined, options);
      }
    }

    #start() {
      const kind = ["counter", "page", "site"].find((name) => this.hasAttribute(name));
      if (!kind) return this.#warn("counter", "missing, as are page and site");
      const url = this.#url(kind);
      if (!url) return;
      const numbers = this.#numbers();
      if (this.hasAttribute("count")) count(url).catch(({ message }) => this.#warn("count", message));
      return subscribe(url, ({ value, error }) => {
        if (error) return this.#warn(kind, error.message);
        const text = numbers.format(value);
        const changes = this.value !== undefined && this.value !== value;
        this.value = value;
        if (this.textContent !== text) this.textContent = text;
        if (changes && !matchMedia("(prefers-reduced-motion:reduce)").matches) this.animate({ opacity: [0.3, 1] }, 500);
      });
    }
  }
  customElements.define("live-counter", LiveCounter);
}
