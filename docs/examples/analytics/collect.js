// Counts a view of the page that loads this script, in the entities of its site:
//
//   <script src="collect.js" data-service="https://counters.example.com" data-key="lc_…" defer></script>
//
// Every visitor can read the key in the page, so it is one that can only write below the route `site`.
(() => {
  const { service, key, route = "site" } = document.currentScript.dataset;
  const day = new Date().toISOString().slice(0, 10);
  const quoted = (text) => JSON.stringify(text.slice(0, 100));
  const path = location.pathname;
  const from = document.referrer && new URL(document.referrer).hostname;
  const commands = [`incr ${route}/daily @${day} .views`, `incr ${route}/pages @${day} .${quoted(path)}`];
  if (from && from !== location.hostname) commands.push(`incr ${route}/referrers @${day} .${quoted(from)}`);
  commands.push(`write ${route}/events {"path":${quoted(path)},"from":${quoted(from)}}`);
  // With keepalive the request is sent even if the visitor leaves at once. Nobody waits for the answer.
  fetch(`${service}/exec`, {
    method: "POST",
    headers: { "X-Ocean-Key": key },
    body: commands.join("\n"),
    keepalive: true,
  }).catch(() => {});
})();
