// This file runs both in the page and as a shared worker. The shared worker listens for all tabs of this site: over HTTP/1.1 a
// browser opens six connections to a host, so with a stream in each tab the seventh tab would wait for ever. The page shows the
// values, and listens by itself only if the browser has no shared workers.
"use strict";

/** One stream carries at most 20 topics. */
const MOST = 20;

/** Milliseconds after which a stream that has not opened is opened anew: a proxy that is just starting may take a request and not
    answer it for a minute. */
const OPENS_WITHIN = 20000;

/** The address of the stream of these topics. */
const streamOf = (topics) => `/topics/${topics.map(encodeURIComponent).join(",").replaceAll("%3A", ":")}/`;

/** Listens to these topics and calls `tell` with {topics, state, values, why} at each change; `values` has the value of each topic by
    its name. Returns the present state as `now`, and functions that open and close the stream. */
function watch(topics, values, tell) {
  const url = streamOf(topics);
  const hasValues = () => topics.some((topic) => topic in values);
  const now = { topics, values, state: hasValues() ? "live" : "connecting", why: "" };
  let source, timer, patience = 1000;
  const say = (news) => tell(Object.assign(now, news));

  const close = () => {
    clearTimeout(timer);
    source?.close();
  };
  const open = () => {
    close();
    const mine = (source = new EventSource(url));
    timer = setTimeout(open, OPENS_WITHIN);
    mine.onopen = () => {
      clearTimeout(timer);
      // A stream that reconnects with the id of the last event may bring no new event. Then the value from before is still right.
      if (hasValues()) say({ state: "live", why: "" });
    };
    mine.onmessage = ({ data, lastEventId }) => {
      patience = 1000;
      const name = lastEventId.split("@")[0]; // That of a counter is its id.
      values[topics.includes(name) ? name : `counter-${name}`] = Number(data);
      say({ state: "live", why: "" });
    };
    mine.onerror = async () => {
      if (hasValues()) say({ state: "reconnecting" });
      clearTimeout(timer);
      // If it is not closed, the browser reconnects by itself.
      const isClosed = mine.readyState === EventSource.CLOSED;
      timer = setTimeout(open, isClosed ? patience * (0.5 + Math.random()) : OPENS_WITHIN);
      if (!isClosed) return;
      patience = Math.min(patience * 2, 30000);
      const why = await explain(url);
      if (why && now.state !== "live") say({ why });
    };
  };

  open();
  return { now, open, close };
}

/** Listens to all topics that its users want, over one stream where 20 topics are enough. */
function listener(tell) {
  const values = {};
  const wanted = new Map(); // For each user, its topics.
  let watches = [];
  /** More than three streams would leave too few connections for requests. */
  const all = () => [...new Set([...wanted.values()].flat())].slice(0, 3 * MOST);
  return {
    want(user, topics) {
      wanted.set(user, topics);
      const covered = watches.flatMap((each) => each.now.topics);
      if (topics.every((topic) => covered.includes(topic))) return;
      for (const each of watches) each.close();
      watches = [];
      const next = all();
      for (let first = 0; first < next.length; first += MOST) {
        watches.push(watch(next.slice(first, first + MOST).sort(), values, tell));
      }
    },
    leave: (user) => wanted.delete(user),
    users: () => wanted.keys(),
    watches: () => watches,
  };
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
  const all = listener((news) => {
    for (const tab of all.users()) tab.postMessage(news);
  });
  onconnect = ({ ports: [tab] }) => {
    tab.onmessage = ({ data: topics }) => {
      if (topics === "bye") return all.leave(tab);
      all.want(tab, topics);
      for (const each of all.watches()) tab.postMessage(each.now);
    };
  };
}

function bePage() {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const digits = new Intl.NumberFormat("en");
  /** The number with thin non-breaking spaces between groups of digits, and with a true minus sign. */
  const written = (number) => digits.format(number).replaceAll(",", "\u202f").replace("-", "\u2212");

  // The server has written the numbers into the page. The page may show one topic in several places.

  const numberIn = ({ dataset }) => (dataset.value ? Number(dataset.value) : null);
  const views = $$("[data-counter]").map((root) => {
    root.dataset.state = "connecting";
    const name = root.dataset.counter;
    return { root, number: $(".value", root), name, topic: `counter-${name}`, value: numberIn(root), changes: [] };
  });
  const [hero] = views;
  const counters = views.length;
  $("#state").textContent = "connecting";

  /** Finds the numbers of pages and sites, and listens to them. */
  function findTopics() {
    views.splice(counters);
    for (const number of $$("#result [data-topic], #top [data-topic]")) {
      views.push({ number, topic: number.dataset.topic, value: numberIn(number) });
    }
    listen([...new Set(views.map((view) => view.topic))].slice(0, MOST));
  }

  // Shows what the stream brings.

  function show(news) {
    for (const view of views) if (news.topics.includes(view.topic)) showIn(view, news);
    for (const list of $$("#top ol")) sort(list);
  }

  function showIn(view, { state, values, why }) {
    const value = values[view.topic];
    if (value === undefined && state === "live") return; // The stream begins with other topics.
    if (view.root) {
      view.root.dataset.state = state;
      if (why) notify(`Counter ${view.name}: ${why}`, true);
    }
    if (view === hero && $("#state").textContent !== state) $("#state").textContent = state;
    if (value === undefined) return;
    if (view === hero && !view.counted && "visits" in view.root.dataset) countVisit(view);
    if (value === view.value) return;

    const isChange = view.value !== null;
    view.value = value;
    view.number.textContent = written(value);
    view.number.dataset.length = view.number.textContent.length;
    if (!isChange) return;
    view.number.classList.remove("changed");
    void view.number.offsetWidth; // Reading the layout restarts the highlight's animation.
    view.number.classList.add("changed");
    if (!view.root) return;
    view.changes.push(performance.now());
    tally(view, true);
  }

  /** Puts the entries of a list into the order of their numbers, except while the visitor is in it. */
  function sort(list) {
    const valueOf = new Map(views.map((view) => [view.number, view.value]));
    const entries = [...list.children];
    const sorted = entries.toSorted((a, b) => valueOf.get($("b", b)) - valueOf.get($("b", a)));
    if (list.matches(":hover, :focus-within") || sorted.every((entry, index) => entry === entries[index])) return;
    list.append(...sorted);
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
  setInterval(() => views.forEach((view) => view.root && tally(view, false)), 1000);

  // Tells a screen reader the first number now and then, as each change would be too much.

  let spoken = hero.value;
  setInterval(() => {
    if (hero.value === spoken) return;
    spoken = hero.value;
    $("#spoken").textContent = `${$(".label span", hero.root).textContent}: ${spoken}`;
  }, 30000);

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

  async function countVisit(view) {
    view.counted = true;
    try {
      const number = written(await add(`/counters/${view.name}/`, 1));
      $("#visit").textContent = `Your visit was number ${number}.`;
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
      notify(`Counter ${id}: ${error.message}.`, true);
    }
    hold(-1);
  }
  for (const { root, name } of views) {
    $("form", root)?.addEventListener("submit", (event) => {
      event.preventDefault();
      press(event.submitter, name, Number(event.submitter.value));
    });
  }

  function notify(text, bad = false) {
    $("#notice").textContent = text;
    $("#notice").classList.toggle("bad", bad);
  }

  // Adds a copy button to each piece of code.

  function addCopyButtons(root) {
    for (const place of $$("pre b", root)) place.textContent = location.origin;
    for (const pre of $$("pre", root)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy: ${$$("h3", pre.parentNode).findLast((title) =>
        title.compareDocumentPosition(pre) & Node.DOCUMENT_POSITION_FOLLOWING)?.textContent}`);
      button.addEventListener("click", () => copy(button, $("code", pre)));
      pre.append(button);
    }
  }

  async function copy(button, code) {
    try {
      await navigator.clipboard.writeText(code.textContent); // This throws unless the page comes from a secure context.
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
  }
  addCopyButtons(document);

  // Asks the server for the page that the form would bring, and takes the answer of the tool out of it. So what is wrong with an
  // address, and the code for a badge, is decided in one place.

  const form = $("#tool");
  if (form) {
    let timer, asked;
    const ask = async (isFinished) => {
      clearTimeout(timer);
      asked?.abort();
      const mine = (asked = new AbortController());
      const url = `/?${new URLSearchParams(new FormData(form))}`;
      const answer = await fetch(url, { signal: mine.signal }).then((answer) => answer.text()).catch(() => null);
      if (mine.signal.aborted) return;
      const page = answer && new DOMParser().parseFromString(answer, "text/html");
      const result = page && $("#result", page);
      const problem = result ? $("#problem", page).textContent : "The server gave no answer.";
      // An address that is being written is often wrong until it is complete.
      if (problem && !isFinished) return;
      $("#problem").textContent = problem;
      $("#url").setAttribute("aria-invalid", problem !== "");
      if (problem) return;
      history.replaceState(null, "", url);
      $("#result").replaceWith(document.adoptNode(result));
      $("#said").textContent = result.dataset.says;
      addCopyButtons(result);
      findTopics();
    };
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(ask, 250, false);
    });
    form.addEventListener("change", () => ask(true));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask(true);
    });
  }

  // Receives the values, from the shared worker or from a stream of the page itself.

  let listen;
  function listenAlone() {
    const own = listener(show);
    listen = (topics) => own.want("page", topics);
    findTopics();
    // A hidden tab closes its streams, so that visible tabs can use the connections.
    document.addEventListener("visibilitychange", () => {
      for (const each of own.watches()) document.hidden ? each.close() : each.open();
    });
  }

  try {
    const worker = new SharedWorker(document.currentScript.src, { name: "livecounter" });
    worker.onerror = listenAlone;
    worker.port.onmessage = ({ data }) => show(data);
    listen = (topics) => worker.port.postMessage(topics);
    addEventListener("pagehide", () => worker.port.postMessage("bye"));
    addEventListener("pageshow", ({ persisted }) => persisted && findTopics());
    findTopics();
  } catch {
    listenAlone();
  }
}
