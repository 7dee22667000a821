// The pages for administrators work without this script. It keeps their numbers live, over one stream.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const digits = new Intl.NumberFormat("en");
  /** The number as the server writes it: with thin spaces between groups of digits, and with a true minus sign. */
  const written = (number) =>
    number === null ? "\u2013" : digits.format(number).replaceAll(",", "\u202f").replace("-", "\u2212");

  function put(element, number) {
    const text = written(number);
    if (element.textContent === text) return;
    element.textContent = text;
    element.classList.remove("changed");
    void element.offsetWidth; // Reading the layout restarts the highlight's animation.
    element.classList.add("changed");
  }

  /** Says whether the numbers are live. */
  function state(text) {
    const pill = $("#state");
    if (!pill) return;
    pill.parentNode.dataset.state = text;
    if (pill.textContent !== text) pill.textContent = text;
  }

  /** Loads the page anew if the session has ended: the server then asks for the key and leads back. EventSource does not tell. */
  async function leaveIfLoggedOut(url) {
    const cut = new AbortController();
    const answer = await fetch(url, { headers: { Accept: "text/event-stream" }, signal: cut.signal }).catch(() => null);
    cut.abort();
    if (answer?.status === 401) location.reload();
  }

  /** Milliseconds after which a stream that has not opened is opened anew: a proxy that is just starting may take a request and not
      answer it for a minute. */
  const OPENS_WITHIN = 20000;

  /** Listens, and connects again if the server has closed the stream. */
  function listen(url, take) {
    let source, timer, patience = 1000;
    const close = () => {
      clearTimeout(timer);
      source?.close();
    };
    const open = () => {
      close();
      const mine = (source = new EventSource(url));
      timer = setTimeout(open, OPENS_WITHIN);
      mine.onopen = () => clearTimeout(timer);
      mine.onmessage = (event) => {
        patience = 1000;
        state("live");
        take(event);
      };
      mine.onerror = () => {
        state("reconnecting");
        clearTimeout(timer);
        // If it is not closed, the browser reconnects by itself.
        const isClosed = mine.readyState === EventSource.CLOSED;
        timer = setTimeout(open, isClosed ? patience : OPENS_WITHIN);
        if (!isClosed) return;
        patience = Math.min(patience * 2, 30000);
        leaveIfLoggedOut(url);
      };
    };
    open();
    // A hidden page needs no numbers, and its connection may be of use elsewhere.
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  }

  // The overview.

  let before;
  function showNow(now) {
    for (const element of $$("[data-now]")) put(element, now[element.dataset.now] ?? null);
    const at = performance.now();
    for (const element of $$("[data-rate]")) {
      const name = element.dataset.rate;
      const grown = before ? now[name] - before.now[name] : -1;
      const rate = grown / ((at - before?.at) / 1000);
      const text = rate > 0 && rate < 10 ? rate.toFixed(1) : written(Math.round(rate));
      element.textContent = grown >= 0 ? `${text} a second` : "";
    }
    before = { now, at };
    showMinute(now.seconds);
    showLatest(now.latest);
    const proxies = $("#proxies");
    now.proxies?.forEach((proxy, index) => {
      const [name, up, pending, published] = proxies?.rows[index]?.cells ?? [];
      if (name?.textContent !== proxy.name) return;
      up.textContent = proxy.up ? "up" : "down";
      up.classList.toggle("bad", !proxy.up);
      pending.textContent = written(proxy.pending);
      published.textContent = written(proxy.published);
    });
  }
  /** Draws the bars of the last minute anew. */
  function showMinute(seconds) {
    const chart = $("#minute");
    const most = Math.max(...seconds);
    $$("g", chart).forEach((bar, index) => {
      const requests = seconds[index];
      const height = requests ? Math.max(1, (requests / most) * 100) : 0;
      $("rect", bar).setAttribute("height", height);
      $("rect", bar).setAttribute("y", 100 - height);
      $("title", bar).textContent = `${seconds.length - index} s ago: ${requests} requests`;
    });
    $("[data-most]", chart).textContent = written(most);
    $("[data-total]", chart).textContent = written(seconds.reduce((sum, requests) => sum + requests, 0));
  }

  let newest = 0;
  function showLatest(latest) {
    const body = $("#latest");
    if (!body || !latest?.length || latest[0].at === newest || body.matches(":hover")) return;
    newest = latest[0].at;
    body.replaceChildren(...latest.map((request) => {
      const row = document.createElement("tr");
      const cell = (text, tag = "td", kind = "") => {
        const element = document.createElement(tag);
        element.className = kind;
        element.append(text);
        row.append(element);
        return element;
      };
      cell(new Date(request.at).toISOString().slice(11, 19));
      const name = cell(` ${request.path}`, "th");
      name.scope = "row";
      const method = document.createElement("span");
      method.className = "method";
      method.textContent = request.method;
      name.prepend(method);
      cell(String(request.status), "td", request.status >= 500 ? "n bad" : "n");
      cell(request.ms.toFixed(1), "td", "n");
      return row;
    }));
  }

  const stream = $("[data-stream]")?.dataset.stream;
  if (stream) {
    state("connecting");
    listen(stream, ({ data }) => showNow(JSON.parse(data)));
  }

  // The public page can fill the screen, as on a wall.

  const full = $("#full");
  if (full && document.fullscreenEnabled) {
    full.hidden = false;
    full.addEventListener("click", () => document.fullscreenElement
      ? document.exitFullscreen()
      : document.documentElement.requestFullscreen().catch(() => (full.hidden = true)));
    document.addEventListener("fullscreenchange", () =>
      (full.textContent = document.fullscreenElement ? "Leave full screen" : "Full screen"));
  }

  // The list of counters: one stream for all of its numbers.

  const numbers = $$(".rows [data-topic]");
  if (numbers.length) {
    const names = numbers.map((number) => number.dataset.topic).sort();
    listen(`/topics/${names.map(encodeURIComponent).join(",")}/`, ({ data, lastEventId }) => {
      const topic = `counter-${lastEventId.split("@")[0]}`;
      for (const number of numbers) if (number.dataset.topic === topic) put(number, Number(data));
    });
  }

  // Copy buttons.

  function addCopyButtons(root) {
    for (const pre of $$("pre", root)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText($("code", pre).textContent); // This throws unless the page comes from a secure context.
          button.textContent = "Copied";
          setTimeout(() => (button.textContent = "Copy"), 1500);
        } catch {
          getSelection().selectAllChildren($("code", pre));
          button.textContent = "Selected";
        }
      });
      pre.append(button);
    }
  }
  addCopyButtons(document);

  // The console: asks for the page that the form would bring, and puts its result above those from before. So what is wrong with a
  // statement is said in one place, and the results of before stay.

  const form = $("#console");
  if (form) {
    const text = $("#text");
    /** Lets the statement of a result be run again. */
    const addAgain = (result) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "again";
      button.textContent = "Edit";
      button.addEventListener("click", () => {
        text.value = $("code", result).textContent;
        text.focus();
      });
      $("pre", result).append(button);
    };
    $$(".result").forEach(addAgain);
    let isRunning = false;
    const run = async () => {
      if (isRunning || !form.reportValidity()) return;
      isRunning = true;
      $("button", form).setAttribute("aria-busy", "true");
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) })
        .then((answer) => answer.text()).catch(() => "");
      isRunning = false;
      $("button", form).removeAttribute("aria-busy");
      const result = $(".result", new DOMParser().parseFromString(answer, "text/html"));
      if (!result) {
        $("#said").textContent = "The server gave no answer; log in again if this stays so.";
        return $("#said").classList.remove("unseen");
      }
      $("#said").classList.add("unseen");
      $("#results").prepend(document.adoptNode(result));
      addCopyButtons(result);
      addAgain(result);
      $("#said").textContent = $("[data-says]", result)?.dataset.says ?? "";
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      run();
    });
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      run();
    });
  }
})();
