// Live counters for any page: the element <live-counter>, and functions for scripts. See docs/http-api.md.
//
// All tabs of a site share a stream for each 20 numbers. The tab that holds the lock leads: it has the streams and tells the
// others the values. A tab leaves when it is closed, kept for the back button, or hidden for a while.

/** @typedef {{value: number, id?: string} | {error: Error}} News */

/** Tabs with other messages need another name. */
const PROTOCOL = "live-counter/1 ";
/** Milliseconds between two signs of the leader. */
const BEAT = 5000;

const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
const pause = (failures) => Math.min(1000 * 2 ** failures, 30000) * (0.5 + Math.random());
/** Calls `act` once, after the last of several calls. */
const soon = (act, ms, timer) => () => {
  clearTimeout(timer);
  timer = setTimeout(act, ms);
};

/** Reads JSON, and tries again after failures that may pass. */
const read = async (url, most, options) => {
  for (let failures = 0; ; failures++) {
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" }, ...options });
      if (answer.ok) return await answer.json();
      const { detail = answer.status } = await answer.json().catch(() => ({}));
      throw Object.assign(new Error(detail), { refused: answer.status < 500 && answer.status !== 429 });
    } catch (error) {
      if (error.refused || failures === most) throw error;
    }
    await new Promise((done) => setTimeout(done, pause(failures)));
  }
};

/** The numbers of one service. */
const connect = (base) => {
  const entries = new Set(), latest = new Map(), name = PROTOCOL + base;
  let streams = [], others = [], joined, leads, isFull, channel, beat, doubt, candidacy, resign;

  const url = (topics) => `${base}topics/${encodeURI(topics)}/`;
  const post = (message) => channel?.postMessage(message);
  const wanted = () => [...entries].map((entry) => entry.topic);
  const tell = (entry, news) => queueMicrotask(() => entries.has(entry) && entry.listener(news));
  const show = ([topic, news]) => {
    const known = latest.get(topic);
    if (known && (!news.id || news.id === known.id)) return;
    latest.set(topic, news);
    for (const entry of entries) if (entry.topic === topic) tell(entry, news);
  };
  const spread = (...item) => {
    show(item);
    post({ news: [item] });
  };

  const start = (stream, failures = 0) => {
    const { topics } = stream;
    const source = (stream.source = new EventSource(url(topics)));
    source.onmessage = ({ data, lastEventId: id }) => {
      failures = 0;
      const topic = id.split("@")[0]; // Of a counter this is the id.
      spread(topics.includes(topic) ? topic : "counter-" + topic, { value: +data, id });
    };
    source.onerror = () => {
      if (source.readyState === 2) examine(topics);
      source.close();
      stream.timer = setTimeout(start, pause(failures), stream, failures + 1);
    };
  };
  const close = () => {
    for (const { source, timer } of streams) {
      source.close();
      clearTimeout(timer);
    }
    streams = [];
  };
  /** Finds the topics that the service refuses, so that the others get a stream. */
  const examine = (topics) =>
    read(url(topics), 0).catch((error) => {
      if (!error.refused) return;
      if (topics[1]) return topics.forEach((topic) => examine([topic]));
      spread(topics[0], { error, id: error.message });
      arrange();
    });
  const arrange = soon(() => {
    if (!leads) return;
    const isBad = (topic) => latest.get(topic)?.error;
    const topics = [...new Set([...wanted(), ...others.flat()])].filter((topic) => !isBad(topic)).sort();
    // A browser has six connections to a host over HTTP/1.1, and two stay free for requests.
    if (topics.splice(80)[0] && !isFull) isFull = !console.warn(base + ": only 80 numbers are live");
    const covered = streams.flatMap((stream) => stream.topics);
    if (topics.every((topic) => covered.includes(topic)) && !covered.some(isBad) && covered.length <= 2 * topics.length) return;
    close();
    while (topics[0]) streams.push({ topics: topics.splice(0, 20) });
    for (const stream of streams) start(stream);
  }, 30);

  const lead = () => {
    leads = true;
    clearTimeout(doubt);
    others = [[], others[0] ?? []]; // What the other tabs have asked for since the last beat, and before.
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
    doubt = setTimeout(compete, 2 * BEAT, true); // A leader without a sign is frozen.
  };
  const compete = (steal) => {
    candidacy?.abort();
    const mine = (candidacy = new AbortController());
    const term = () => mine === candidacy && new Promise((done) => lead((resign = done)));
    navigator.locks.request(name, steal ? { steal } : { signal: mine.signal }, term).catch((error) => {
      if (mine !== candidacy) return;
      if (error.name !== "AbortError") return lead(); // The browser forbids locks.
      follow(); // Another tab has taken the lock.
      compete();
    });
  };

  const join = () => {
    if (joined || !entries.size || globalThis.document?.prerendering) return;
    joined = true;
    if (!navigator.locks) return lead();
    channel = new BroadcastChannel(name);
    channel.onmessage = ({ data: { topics, news, leads: other } }) => {
      if (other) announce();
      news?.forEach(show);
      if (!leads || !topics) return;
      others[0].push(...topics);
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
    latest.clear(); // When this tab leads again, it must not tell older values than others show.
  };
  const settle = soon(() => (!entries.size ? leave : joined ? announce : join)(), 20);
  const listen = (topic, listener) => {
    const entry = { topic, listener };
    entries.add(entry);
    if (latest.has(topic)) tell(entry, latest.get(topic));
    settle();
    return () => {
      entries.delete(entry);
      settle();
    };
  };
  return { join, leave, show, listen };
};

const services = {};

/**
 * Calls `listener` with the present value and each new one.
 * @param {string} url of a counter (https://host/counters/2/), or of the hits of a page or a site (https://host/nocount?url=…)
 * @param {(news: News) => void} listener
 * @returns {() => void} ends it
 */
export function subscribe(url, listener) {
  const [, base, kind, name] = /^(.*?\/)(?:(counter|topic)s\/([^/,]+)\/$|nocount)/.exec(url) ?? [];
  if (!globalThis.EventSource) throw new Error("EventSource is missing");
  if (!base) throw new TypeError("no number has the address " + url);
  const service = (services[base] ??= connect(base));
  let stop;
  const listen = (topic) => (stop ??= service.listen(topic, listener));
  if (kind) listen((kind === "topic" ? "" : "counter-") + decodeURI(name));
  else
    read(url)
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
  let timer;
  const look = () => {
    clearTimeout(timer);
    document.hidden ? (timer = setTimeout(leave, 30000)) : join();
  };
  look();
  addEventListener("visibilitychange", look);
  document.addEventListener("prerenderingchange", join);
  addEventListener("pagehide", leave);
  addEventListener("online", () => join(leave()));

  let local = {}, session = {};
  try {
    local = localStorage;
    session = sessionStorage;
  } catch {} // The browser keeps nothing for this site.
  /** Own visits: https://site/#live-counter-off, and -on to count again. */
  const note = () => {
    const [, own] = location.hash.split("#live-counter-");
    if (own) local["live-counter"] = own;
  };
  note();
  addEventListener("hashchange", note);

  const sent = new Set();
  /** The key of a visit is kept until there is an answer, and 1 from then on: so a later page of the session sends what was lost. */
  const countOnce = async (url) => {
    if (document.prerendering) await new Promise((done) => document.addEventListener("prerenderingchange", done));
    const isPublic = /^https?:\/\/(?!(localhost|127\.[\d.]+|\[::1\]|[^/]+\.local)[:/])/.test(location);
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
    #stop;
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

    /** What `make` makes of the attribute. */
    #read(name, make) {
      const text = this.getAttribute(name);
      const warn = ({ message }) => console.warn(`<live-counter ${name}="${text ?? ""}">: ${message}`);
      try {
        return make(text, warn);
      } catch (error) {
        warn(error);
      }
    }

    #start() {
      const base = this.#read("src", (src) =>
        src ? new URL(src.replace(/\/?$/, "/"), document.baseURI) : new URL(".", import.meta.url),
      );
      const lang = this.#read("lang", () => Intl.getCanonicalLocales(this.closest("[lang]")?.lang || []));
      const numbers = this.#read("format", (format) => {
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
        return subscribe(url, ({ value, error }) => {
          if (error) return warn(error);
          const difference = value - this.value; // NaN at first.
          this.value = value;
          this.textContent = numbers ? numbers.format(value) : value;
          if (difference && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.animate({ opacity: [0.3, 1] }, 500);
        });
      });
    }
  }
  customElements.define("live-counter", LiveCounter);
}
