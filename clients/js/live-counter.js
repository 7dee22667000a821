// Live counters for any page: the element <live-counter>, and functions for scripts. See docs/http-api.md.
//
// All tabs of a site share a stream for each 20 numbers. The tab that holds the lock leads: it has the streams and tells the
// others the values. A tab leaves when it is closed, kept for the back button, or hidden for a while.
//
// Each comment stands in a line of its own, as only lines that are comment are left out of what the service sends.

/** @typedef {{value: number, id?: string} | {error: Error}} News */
/** @import { Answer, Item, Listening, Message, Stream, Timer } from "./element-types.js" */

/** Tabs with other messages need another name. */
const PROTOCOL = "live-counter/1 ";
/** Milliseconds between two signs of the leader. */
const BEAT = 5000;

const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
/** @param {number} failures */
const pause = (failures) => Math.min(1000 * 2 ** failures, 30000) * (0.5 + Math.random());
/**
 * Calls `act` once, after the last of several calls.
 * @type {(act: () => void, ms?: number, timer?: Timer) => () => void}
 */
const soon = (act, ms, timer) => () => {
  clearTimeout(timer);
  timer = setTimeout(act, ms);
};

/**
 * Reads JSON, and tries again after failures that may pass.
 * @type {(url: string, most?: number, options?: RequestInit) => Promise<Answer>}
 */
const read = async (url, most, options) => {
  for (let failures = 0; ; failures++) {
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" }, ...options });
      if (answer.ok) return await answer.json();
      const { detail = answer.status } = await answer.json().catch(() => ({}));
      throw Object.assign(new Error(detail), { refused: answer.status < 500 && answer.status !== 429 });
    } catch (error) {
      /** @type {any} */
      const { refused } = error;
      if (refused || failures === most) throw error;
    }
    await new Promise((done) => setTimeout(done, pause(failures)));
  }
};

/**
 * The numbers of one service.
 * @param {string} base
 */
const connect = (base) => {
  const name = PROTOCOL + base,
    /** @type {Set<Listening>} */
    entries = new Set(),
    /** @type {Map<string, Item>} */
    latest = new Map();
  let isFull = false,
    leads = false,
    /** @type {boolean | void} */
    joined,
    /** @type {Stream[]} */
    streams = [],
    /** @type {string[][]} */
    others = [],
    /** @type {BroadcastChannel | void} */
    channel,
    /** @type {Timer} */
    beat,
    /** @type {Timer} */
    doubt,
    /** @type {AbortController | void} */
    candidacy,
    /** @type {Function | undefined} */
    resign;

  /** @param {string[]} topics */
  const url = (topics) => `${base}topics/${topics.map(encodeURI)}/`;
  /** @param {Message} message */
  const post = (message) => channel?.postMessage(message);
  const wanted = () => [...entries].map((entry) => entry.topic);
  /** @type {(entry: Listening, news: Item) => void} */
  const tell = (entry, news) => queueMicrotask(() => entries.has(entry) && entry.listener(news));
  /** @param {[string, Item]} item */
  const show = ([topic, news]) => {
    const known = latest.get(topic);
    if (known && (!news.id || news.id === known.id)) return;
    latest.set(topic, news);
    for (const entry of entries) if (entry.topic === topic) tell(entry, news);
  };
  /** @param {[string, Item]} item */
  const spread = (...item) => {
    show(item);
    post({ news: [item] });
  };

  /** @type {(stream: Stream, failures?: number) => void} */
  const start = (stream, failures = 0) => {
    const { topics } = stream;
    const source = (stream.source = new EventSource(url(topics)));
    const fail = () => {
      clearTimeout(stream.timer);
      source.close();
      stream.timer = setTimeout(start, pause(failures), stream, failures + 1);
    };
    // A proxy that is just starting may take a request and not answer it for a minute.
    stream.timer = setTimeout(fail, 20000);
    source.onopen = () => clearTimeout(stream.timer);
    source.onmessage = ({ data, lastEventId: id }) => {
      failures = 0;
      // Of a counter this is the id.
      const [topic = ""] = id.split("@");
      spread(topics.includes(topic) ? topic : "counter-" + topic, { value: +data, id });
    };
    source.onerror = () => {
      if (source.readyState === 2) examine(topics);
      fail();
    };
  };
  const close = () => {
    for (const { source, timer } of streams) {
      source?.close();
      clearTimeout(timer);
    }
    streams = [];
  };
  /**
   * Finds the topics that the service refuses, so that the others get a stream.
   * @param {string[]} topics
   */
  const examine = (topics) =>
    read(url(topics), 0).catch((error) => {
      if (!error.refused) return;
      for (const topic of topics) topics[1] ? examine([topic]) : spread(topic, { error, id: error.message });
      arrange();
    });
  const arrange = soon(() => {
    if (!leads) return;
    /** @param {string} topic */
    const isBad = (topic) => latest.get(topic)?.error;
    const topics = [...new Set([...wanted(), ...others.flat()])].filter((topic) => !isBad(topic)).sort();
    // A browser has six connections to a host over HTTP/1.1, and two stay free for requests.
    if (topics.splice(80)[0] && !isFull) {
      isFull = true;
      console.warn(base + ": only 80 numbers are live");
    }
    const covered = streams.flatMap((stream) => stream.topics);
    if (topics.every((topic) => covered.includes(topic)) && !covered.some(isBad) && covered.length <= 2 * topics.length) return;
    close();
    while (topics[0]) streams.push({ topics: topics.splice(0, 20) });
    for (const stream of streams) start(stream);
  }, 30);

  const lead = () => {
    leads = true;
    clearTimeout(doubt);
    // What the other tabs have asked for since the last beat, and before.
    others = [[], others[0] ?? []];
    post({ leads });
    arrange();
    beat = setTimeout(lead, BEAT);
  };
  const follow = () => {
    leads = false;
    clearTimeout(beat);
    close();
  };
  const announce = () => {
    if (leads) return arrange();
    post({ topics: wanted() });
    clearTimeout(doubt);
    // A leader without a sign is frozen.
    doubt = setTimeout(compete, 2 * BEAT, true);
  };
  /** @param {boolean} [steal] */
  const compete = (steal) => {
    candidacy?.abort();
    const mine = (candidacy = new AbortController());
    const term = () =>
      mine === candidacy &&
      new Promise((done) => {
        resign = done;
        lead();
      });
    navigator.locks.request(name, steal ? { steal } : { signal: mine.signal }, term).catch((error) => {
      if (mine !== candidacy) return;
      // The browser forbids locks.
      if (error.name !== "AbortError") return lead();
      // Another tab has taken the lock.
      follow();
      compete();
    });
  };

  const join = () => {
    if (joined || isResting || !entries.size || globalThis.document?.prerendering) return;
    joined = true;
    if (!navigator.locks) return lead();
    channel = new BroadcastChannel(name);
    /** @param {MessageEvent<Message>} event */
    channel.onmessage = ({ data: { topics, news, leads: other } }) => {
      if (other) announce();
      news?.forEach(show);
      if (!leads || !topics) return;
      others[0]?.push(...topics);
      post({ news: [...latest].filter(([topic]) => topics.includes(topic)) });
      arrange();
    };
    compete();
    announce();
  };
  const leave = () => {
    follow();
    clearTimeout(doubt);
    joined = candidacy = candidacy?.abort();
    resign?.();
    channel = channel?.close();
    // When this tab leads again, it must not tell older values than others show.
    latest.clear();
  };
  const settle = soon(() => (!entries.size ? leave : joined ? announce : join)(), 20);
  /** @type {(topic: string, listener: (news: News) => void) => () => void} */
  const listen = (topic, listener) => {
    const entry = { topic, listener };
    entries.add(entry);
    const known = latest.get(topic);
    if (known) tell(entry, known);
    settle();
    return () => {
      entries.delete(entry);
      settle();
    };
  };
  return { join, leave, show, listen };
};

/** @type {Record<string, ReturnType<typeof connect>>} */
const services = {};
/** Whether the tab has been hidden for so long that it has no stream. */
let isResting = false;
/** @type {Record<string, Promise<Answer>>} The requests for the names of topics that have no answer yet. */
const asked = {};

/**
 * Calls `listener` with the present value and each new one.
 * @param {string} url of a counter (https://host/counters/2/), or of the hits of a page or a site (https://host/nocount?url=…)
 * @param {(news: News) => void} listener
 * @returns {() => void} ends it
 */
export function subscribe(url, listener) {
  const [, base, kind, name = ""] = /^(.*?\/)(?:(counter|topic)s\/([^/,]+)\/$|nocount)/.exec(url) ?? [];
  if (!globalThis.EventSource) throw new Error("EventSource is missing");
  if (!base) throw new TypeError("no number has the address " + url);
  const service = (services[base] ??= connect(base));
  /** @type {(() => void) | undefined} */
  let stop;
  /** @param {string} topic */
  const listen = (topic) => (stop ??= service.listen(topic, listener));
  if (kind) listen((kind === "topic" ? "" : "counter-") + decodeURI(name));
  else
    (asked[url] ??= read(url).finally(() => delete asked[url]))
      .then(({ topic, value }) => {
        listen(topic);
        service.show([topic, { value }]);
      })
      .catch((error) => stop || listener({ error }));
  return () => {
    stop?.();
    stop = () => {};
  };
}

/** @type {(url: string, key: string, options?: RequestInit) => Promise<Answer>} */
const send = (url, key, options) =>
  read(url, 5, { headers: { Accept: "application/json", "Idempotency-Key": key }, keepalive: true, ...options });

/**
 * Adds to a counter, once, however often it must try.
 * @param {string} url
 * @param {{by?: number, key?: string}} [options] the same key counts once within a day
 * @returns {Promise<number>} the new value
 */
export async function add(url, { by = 1, key = newKey() } = {}) {
  return (await send(url, key, { method: "POST", body: JSON.stringify({ by }) })).value;
}

if (globalThis.customElements && !customElements.get("live-counter")) {
  const join = () => Object.values(services).forEach((service) => service.join());
  const leave = () => Object.values(services).forEach((service) => service.leave());
  const rest = () => {
    isResting = true;
    leave();
  };
  /** @type {Timer} */
  let timer;
  const look = () => {
    clearTimeout(timer);
    isResting &&= document.hidden;
    document.hidden ? (timer = setTimeout(rest, 30000)) : join();
  };
  look();
  addEventListener("visibilitychange", look);
  document.addEventListener("prerenderingchange", join);
  addEventListener("pagehide", leave);
  addEventListener("online", () => {
    leave();
    join();
  });

  /** @type {Record<string, any>} */
  let local = {},
    /** @type {Record<string, any>} */
    session = {};
  try {
    local = localStorage;
    session = sessionStorage;
    // Where the browser keeps nothing for this site, this page alone remembers.
  } catch {}
  /** Own visits: https://site/#live-counter-off, and -on to count again. */
  const note = () => {
    const [, own] = location.hash.split("#live-counter-");
    if (own) local["live-counter"] = own;
  };
  note();
  addEventListener("hashchange", note);

  const sent = new Set();
  /**
   * The key of a visit is kept until there is an answer, and 1 from then on: so a later page of the session sends what was lost.
   * @param {string} url
   */
  const countOnce = async (url) => {
    if (document.prerendering) await new Promise((done) => document.addEventListener("prerenderingchange", done));
    const isPublic = /^https?:\/\/(?!(localhost|127\.[\d.]+|\[::1\]|[^/]+\.local)[:/])/.test(location.href);
    if (!isPublic || top !== window || local["live-counter"] === "off") return;
    session["live-counter " + url] ??= newKey();
    for (const name of Object.keys(session)) {
      const [, url] = /^live-counter (.+)/.exec(name) ?? [], key = session[name];
      if (!url || key == 1 || sent.has(url)) continue;
      sent.add(url);
      const end = () => (session[name] = 1);
      (url.endsWith("/") ? add(url, { key }) : send(url, key)).then(end, (error) => {
        if (error.refused) end();
        console.warn(`${url}: ${error.message}`);
      });
    }
  };

  const style = new CSSStyleSheet();
  style.replaceSync(`:where(live-counter[badge]){padding:.1em .5em;border-radius:.3em;background:#07c;color:#fff}
:where(live-counter[label])::before{content:attr(label)" "}`);
  document.adoptedStyleSheets.push(style);

  class LiveCounter extends HTMLElement {
    static observedAttributes = ["counter", "page", "site", "count", "src", "format", "lang"];
    /** @type {false | (() => void) | undefined | void} */
    #stop;
    /** @type {any} The number that the element shows, undefined before the first. */
    value;
    #update = soon(() => {
      const before = this.#stop;
      this.#stop = this.isConnected && this.#start();
      before && before();
    });

    connectedCallback() {
      this.ariaLive ??= "polite";
      this.#update();
    }
    disconnectedCallback() {
      this.#update();
    }
    attributeChangedCallback() {
      this.#update();
    }

    /**
     * What `make` makes of the attribute.
     * @template T
     * @param {string} name
     * @param {(text: string | null, warn: (error: any) => void) => T} make
     */
    #read(name, make) {
      const text = this.getAttribute(name);
      /** @type {(error: any) => void} */
      const warn = ({ message }) => console.warn(`<live-counter ${name}="${text ?? ""}">: ${message}`);
      try {
        return make(text, warn);
      } catch (error) {
        return warn(error);
      }
    }

    #start() {
      const base = this.#read("src", (src) =>
        src ? new URL(src.replace(/\/?$/, "/"), document.baseURI) : new URL(".", import.meta.url),
      );
      /** @type {any} A list, or undefined for the language of the browser. */
      const lang = this.#read("lang", () => Intl.getCanonicalLocales(this.closest("[lang]")?.getAttribute("lang") || []));
      const numbers = this.#read("format", (format) => {
        /** @type {any} */
        const notation = { short: "compact", plain: "standard" }[format ?? "plain"] ?? format;
        return new Intl.NumberFormat(lang, { notation });
      });
      const kind = ["page", "site"].find((name) => this.hasAttribute(name)) ?? "counter";
      return base && this.#read(kind, (name, warn) => {
        let count = `${base}counters/${encodeURIComponent(name ?? "")}/`, url = count;
        if (kind !== "counter") {
          const query = "?url=" + encodeURIComponent(name || location.host + location.pathname);
          count = `${base}count${query}`;
          url = `${base}nocount${kind === "site" ? "/site" : ""}${query}`;
        }
        if (this.hasAttribute("count")) countOnce(count);
        return subscribe(url, (news) => {
          if ("error" in news) return warn(news.error);
          /** @type {any} A number, which is shown as it is when the format is none. */
          const { value } = news;
          // NaN at first.
          const difference = value - this.value;
          this.value = value;
          this.textContent = numbers ? numbers.format(value) : value;
          if (difference && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.animate({ opacity: [0.3, 1] }, 500);
        });
      });
    }
  }
  customElements.define("live-counter", LiveCounter);
}
