// The numbers of the site as they change. The key reads below the route and may run SQL; this tab alone keeps it.
const { service, route } = document.body.dataset;
const today = new Date().toISOString().slice(0, 10);
const $ = (id) => document.getElementById(id);

/** Asks the service with the key; throws what the service says is wrong. */
async function ask(key, path, options = {}) {
  const answer = await fetch(service + path, { ...options, headers: { "X-Ocean-Key": key } });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer.json();
}

/** Shows rows of a name and a number. Without rows the page says so, by the class. */
function show(id, rows) {
  $(id).className = "read";
  $(id).replaceChildren(
    ...rows.map(([name, number]) => {
      const row = document.createElement("tr");
      row.append(document.createElement("th"), document.createElement("td"));
      row.firstChild.textContent = name;
      row.lastChild.textContent = number.toLocaleString();
      return row;
    }),
  );
}

/** The fields of an entity, the greatest first. */
const sorted = (payload) => Object.entries(payload ?? {}).sort(([, a], [, b]) => b - a).slice(0, 20);

/** Listens to an entity or a feed. EventSource sends no headers, so the key is in the address. */
function listen(key, path, onEvent) {
  const stream = new EventSource(`${service}${path}?_key=${encodeURIComponent(key)}`);
  stream.onmessage = (event) => onEvent(JSON.parse(event.data));
}

async function start(key) {
  const statement = `SELECT key, views FROM "${route}/daily" WHERE views > 0 ORDER BY key DESC LIMIT 14`;
  const days = await ask(key, "/sql", { method: "POST", body: statement });
  show("days", days.rows.map((day) => [day.key, day.views]));
  sessionStorage.setItem("key", key);
  $("login").hidden = true;
  document.querySelector("main").hidden = false;
  listen(key, `/entity/${route}/daily/${today}`, (fields) => ($("today").textContent = (fields?.views ?? 0).toLocaleString()));
  for (const id of ["pages", "referrers"]) {
    listen(key, `/entity/${route}/${id}/${today}`, (fields) => show(id, sorted(fields)));
  }
  const { events } = await ask(key, `/feed/${route}/events?limit=20`);
  $("events").className = "read";
  for (const { payload } of events) prepend(payload);
  listen(key, `/live/${route}/events`, prepend);
}

function prepend({ path, from }) {
  const item = document.createElement("li");
  item.textContent = from ? `${path}, from ${from}` : path;
  $("events").prepend(item);
  while ($("events").children.length > 20) $("events").lastChild.remove();
}

const attempt = (key) => start(key).catch((error) => ($("problem").textContent = error.message));
$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  $("problem").textContent = "";
  attempt($("login").elements.key.value);
});
if (sessionStorage.getItem("key")) attempt(sessionStorage.getItem("key"));
