// This file runs both in the page and as a shared worker. The shared worker listens for all tabs of this site: over HTTP/1.1 a
// browser opens six connections to a host, so with four streams in each tab the second tab would wait for ever. The page
// shows the values, and listens by itself only if the browser has no shared workers.
"use strict";

/** Listens to the counters at `url` and calls `tell` with {url, state, values, why} at each change; `values` has the value of
    each counter by its id. Returns the present state as `now`, and functions that open and close the stream. */
function watch(url, tell) {
  const now = { url, state: "connecting", values: {}, why: "" };
  let source, timer, patience = 1000;
  const say = (news) => tell(Object.assign(now, news));
  const hasValues = () => Object.keys(now.values).length > 0;

  const close = () => {
    clearTimeout(timer);
    source?.close();
  };
  const open = () => {
    close();
    const mine = (source = new EventSource(url));
    // A stream that reconnects with the id of the last event may bring no new event. Then the value from before is still right.
    mine.onopen = () => hasValues() && say({ state: "live", why: "" });
    mine.onmessage = ({ data, lastEventId }) => {
      patience = 1000;
      now.values[lastEventId.split("@")[0]] = Number(data);
      say({ state: "live", why: "" });
    };
    mine.onerror = async () => {
      if (hasValues()) say({ state: "reconnecting" });
      if (mine.readyState !== EventSource.CLOSED) return; // The browser reconnects by itself.
      timer = setTimeout(open, patience * (0.5 + Math.random()));
      patience = Math.min(patience * 2, 30000);
      const why = await explain(url);
      if (why && now.state !== "live") say({ why });
    };
  };

  open();
  return { now, open, close };
}

/** Why the server refuses a stream: the problem's `detail`, or "". EventSource does not tell. */
async function explain(url) {
  const cut = new AbortController();
  try {
    const answer = await fetch(url, { headers: { Accept: "text/event-stream" }, signal: cut.signal });
    return answer.ok ? "" : await detail(answer);
  } catch {
    return "";
  } finally {
    cut.abort();
  }
}

async function detail(answer) {
  const problem = await answer.json().catch(() => ({}));
  return problem.detail || problem.title || `the server answered ${answer.status}`;
}

if (typeof document === "undefined") beWorker();
else bePage();

function beWorker() {
  const tabs = new Set();
  const watched = new Map();
  onconnect = ({ ports: [tab] }) => {
    tab.onmessage = ({ data: url }) => {
      if (url === "bye") return tabs.delete(tab);
      tabs.add(tab);
      if (watched.has(url)) tab.postMessage(watched.get(url).now);
      else watched.set(url, watch(url, (news) => tabs.forEach((each) => each.postMessage(news))));
    };
  };
}

function bePage() {
  const $ = (selector, root = document) => root.querySelector(selector);
  const digits = new Intl.NumberFormat("en");
  /** The number with thin non-breaking spaces between groups of digits, and with a true minus sign. */
  const written = (number) => digits.format(number).replaceAll(",", "\u202f").replace("-", "\u2212");

  for (const id of $("#tiles").dataset.counters.split(" ")) {
    const tile = $("#tile").content.cloneNode(true).firstElementChild;
    tile.dataset.counter = id;
    $("h3", tile).textContent = `/counters/${id}/`;
    for (const button of tile.querySelectorAll("button")) {
      const by = Number(button.dataset.by);
      button.setAttribute("aria-label", `${by < 0 ? "Take 1 from" : `Add ${by} to`} counter ${id}`);
      button.addEventListener("click", () => press(button, id, by));
    }
    $("#tiles").append(tile);
  }

  // The page may show one counter in two places.
  const views = [];
  for (const root of document.querySelectorAll("[data-counter]")) {
    root.dataset.state = "connecting";
    views.push({ root, id: root.dataset.counter, value: null, changes: [] });
  }
  const [hero] = views;

  // One stream carries at most 20 counters.
  const ids = [...new Set(views.map((view) => view.id))].sort();
  const urls = [];
  for (let first = 0; first < ids.length; first += 20) {
    const together = ids.slice(first, first + 20);
    const url = `/counters/${together.join(",")}/`;
    for (const view of views) if (together.includes(view.id)) view.url = url;
    urls.push(url);
  }
  $("#state").textContent = "connecting";

  // Shows what the streams bring.

  function show(news) {
    for (const view of views) if (view.url === news.url) showIn(view, news);
  }

  function showIn(view, { state, values, why }) {
    const first = view.value === null;
    const value = values[view.id];
    if (value === undefined && state === "live") return; // The stream begins with other counters.
    view.root.dataset.state = state;
    if (view === hero && $("#state").textContent !== state) $("#state").textContent = state;
    if (why) notify(`Counter ${view.id}: ${why}`, true);
    if (value === undefined || value === view.value) return;

    const number = $(".value", view.root);
    view.value = value;
    number.textContent = written(value);
    number.style.setProperty("--length", number.textContent.length);
    if (first) {
      if (view === hero && "visits" in view.root.dataset) countVisit(`/counters/${view.id}/`);
      return;
    }
    number.classList.remove("changed");
    void number.offsetWidth; // Reading the layout restarts the highlight's animation.
    number.classList.add("changed");
    view.changes.push(performance.now());
    tally(view, true);
  }

  /** Draws one stroke for each change of the last minute. Every fifth stroke crosses the four before it. */
  function tally(view, grown) {
    const since = performance.now() - 60000;
    const before = view.changes.length;
    view.changes = view.changes.filter((at) => at > since);
    const count = view.changes.length;
    if (!grown && count === before) return;

    const strokes = Math.min(count, 25);
    const svg = $(".tally", view.root);
    svg.replaceChildren();
    for (let i = 0; i < strokes; i++) {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      const lean = Math.sin(i * 12.9 + 1); // Each stroke leans differently, as if drawn by hand.
      const left = 6 + Math.floor(i / 5) * 38;
      const x = left + (i % 5) * 7;
      path.setAttribute("d", i % 5 < 4
        ? `M${x + lean} ${3 + lean}L${x - lean} ${21 + lean}`
        : `M${left - 5} ${17 + lean}L${left + 26} ${7 - lean}`);
      if (grown && i === strokes - 1) {
        path.setAttribute("class", "new");
        path.setAttribute("pathLength", "1");
      }
      svg.append(path);
    }
    const width = Math.floor(strokes / 5) * 38 + (strokes % 5 ? (strokes % 5) * 7 + 6 : -4);
    svg.setAttribute("viewBox", `0 0 ${Math.max(width, 1)} 24`);
    $(".rate", view.root).textContent = count ? `${count}\u202f/\u202fmin` : "";
  }
  setInterval(() => views.forEach((view) => tally(view, false)), 1000);

  // Sends what the visitor does.

  /** Adds `by` and returns the new value. All attempts carry the same key, so the addition counts once even if answers are
      lost. */
  async function add(url, by) {
    const key = crypto.getRandomValues(new Uint32Array(4)).join("-");
    for (let patience = 500; ; patience *= 2) {
      const answer = await fetch(by === 1 ? url : `${url}?by=${by}`, {
        method: "POST",
        headers: { Accept: "application/json", "Idempotency-Key": key },
        signal: AbortSignal.timeout(10000),
      }).catch(() => null);
      if (answer?.ok) return (await answer.json()).value;
      const again = !answer || [500, 502, 503, 504].includes(answer.status);
      if (!again || patience > 4000) {
        throw new Error(answer ? await detail(answer) : "the server gave no answer, so it may or may not have counted");
      }
      await new Promise((resolve) => setTimeout(resolve, patience * (0.5 + Math.random())));
    }
  }

  async function countVisit(url) {
    try {
      $("#visit").textContent = `Your visit was number ${written(await add(url, 1))}. Every visit after yours moves it on.`;
    } catch (error) {
      $("#visit").textContent = `Your visit is not in it: ${error.message}.`;
    }
  }

  const busy = new Map(); // For each button, the number of presses without an answer.
  async function press(button, id, by) {
    const hold = (n) => {
      busy.set(button, (busy.get(button) || 0) + n);
      button.setAttribute("aria-busy", busy.get(button) > 0);
    };
    hold(1);
    try {
      notify(`Counter ${id} is now ${written(await add(`/counters/${id}/`, by))}.`);
    } catch (error) {
      notify(`Counter ${id}: ${error.message}`, true);
    }
    hold(-1);
  }

  function notify(text, bad = false) {
    $("#notice").textContent = text;
    $("#notice").classList.toggle("bad", bad);
  }

  // Adds a copy button to each example.

  for (const place of document.querySelectorAll("pre b")) place.textContent = location.origin;
  for (const pre of document.querySelectorAll("pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy this example");
    button.addEventListener("click", async () => {
      const code = $("code", pre);
      try {
        await navigator.clipboard.writeText(code.textContent); // This throws unless the page comes from a secure context.
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy"), 1500);
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
    });
    pre.append(button);
  }

  // Receives the values, from the shared worker or from streams of the page itself.

  function listenAlone() {
    const watches = urls.map((url) => watch(url, show));
    // A hidden tab closes its streams, so that visible tabs can use the connections.
    document.addEventListener("visibilitychange", () => {
      for (const each of watches) document.hidden ? each.close() : each.open();
    });
  }

  try {
    const worker = new SharedWorker(document.currentScript.src, { name: "livecounter" });
    worker.onerror = listenAlone;
    worker.port.onmessage = ({ data }) => show(data);
    const ask = () => urls.forEach((url) => worker.port.postMessage(url));
    addEventListener("pagehide", () => worker.port.postMessage("bye"));
    addEventListener("pageshow", ({ persisted }) => persisted && ask());
    ask();
  } catch {
    listenAlone();
  }
}
