//! Pages that name `api.countapi.xyz`: their scripts run unchanged, and only the host name leads to the service.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::chromium::Chromium;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::{site, tls};

const API: &str = "api.countapi.xyz";

/// The snippets of CountAPI's page, and as they stand in pages of today: a script that is loaded for its callback, XMLHttpRequest,
/// fetch, and a picture.
const SNIPPETS: &str = r#"<!doctype html>
<div id="visits">...</div><div id="xhr"></div><div id="fetched"></div>
<script>
function cb(response) {
    document.getElementById('visits').innerText = response.value;
}
</script>
<script async src="https://api.countapi.xyz/hit/mysite.com/visits?callback=cb"></script>
<script>
var xhr = new XMLHttpRequest();
xhr.open("GET", "https://api.countapi.xyz/hit/mysite.com/xhr");
xhr.responseType = "json";
xhr.onload = function() {
    document.getElementById('xhr').innerText = this.response.value;
}
xhr.send();
fetch('https://api.countapi.xyz/hit/:HOST:/:PATHNAME:')
    .then(res => res.json())
    .then(data => { document.getElementById('fetched').innerText = data.value; });
</script>
<script async src="https://api.countapi.xyz/hit/mysite.com/later?callback=notThere"></script>
<img src="https://api.countapi.xyz/hit/mysite.com/picture?img" alt="">
"#;

/// What a bundler makes of the client: each file in a function of its own, with the two things that it asks for.
const MODULES: &str = r#"
const files = {};
const load = (name) => {
  const module = { exports: {} };
  files[name](module, module.exports, load);
  return module.exports;
};
"#;

/// Uses each function of the client as its documentation and its own tests do.
const CALLS: &str = r#"
const api = load("countapi-js");
const results = {};
const note = async (name, call) => {
  results[name] = await call().then((told) => told, (problem) => ({ rejected: String(problem) }));
};
(async () => {
  await note("missing", () => api.get("test"));
  await note("hit", () => api.hit("test"));
  await note("get", () => api.get("default", "test"));
  await note("update", () => api.update("test", 100));
  await note("out of bounds", () => api.update("test", 5000));
  await note("update of none", () => api.update("none", 3));
  await note("set", () => api.set("test", 3));
  await note("set of none", () => api.set("none", 3));
  await note("create", () => api.create({ namespace: "mysite.com", key: "fresh", value: 7 }));
  await note("bad key", () => api.create({ key: "aa" }));
  await note("bad upper bound", () => api.create({ update_upperbound: -1 }));
  await note("bad lower bound", () => api.create({ update_lowerbound: 1 }));
  await note("info", () => api.info("mysite.com", "fresh"));
  await note("visits", () => api.visits());
  await note("visits of a page", () => api.visits("global"));
  await note("event", () => api.event("magic-button"));
  const created = await api.create();
  results.random = [created.status, created.path === `default/${created.key}`, created.value];
  const stats = await api.stats();
  results.stats = Object.keys(stats).sort().join();
  document.title = JSON.stringify(results);
})();
"#;

/// The service under CountAPI's name with TLS, and a browser for which `www.example.com` has this page at `/blog/page.html`.
async fn visit(page: String) -> (TestApp, Chromium) {
    let app = TestApp::with(&[("LIVECOUNTER__COMPAT__COUNTAPI", API)]).await;
    let api = tls::in_front_of(app.addr).await;
    let site = site::serve(HashMap::from([("/blog/page.html".to_owned(), page.into_bytes())])).await;
    let site: SocketAddr = site.trim_start_matches("http://").parse().expect("an address");
    let hosts = [(&*format!("{API}:443"), api), ("www.example.com:80", site)];
    let browser = Chromium::launch_with_hosts(&hosts).await;
    browser.open("http://www.example.com/blog/page.html").await;
    (app, browser)
}

#[tokio::test]
async fn snippets_written_for_countapi_count_unchanged() {
    let (app, browser) = visit(SNIPPETS.to_owned()).await;
    for visits in ["1", "2"] {
        for id in ["#visits", "#xhr", "#fetched"] {
            browser.until_text(id, visits).await;
        }
        browser
            .until("[...document.images].every((image) => image.complete && image.naturalWidth === 1)")
            .await;
        if visits == "1" {
            browser.open("http://www.example.com/blog/page.html").await;
        }
    }
    // A browser tells another host only the origin of the page.
    for id in ["mysite.com~visits", "mysite.com~picture", "mysite.com~later", "www.example.com~..."] {
        assert_eq!(client().get(app.counter(id)).text().await, "2\n", "{id}");
    }
    let errors = browser.console().await;
    assert!(
        !errors.iter().any(|entry| entry.contains("countapi") || entry.contains("notThere")),
        "{errors:?}"
    );
}

#[tokio::test]
async fn the_javascript_client_of_countapi_runs_unchanged() {
    let work = tempfile::tempdir().expect("a directory for the packages");
    let mut script = MODULES.to_owned();
    install(work.path()).await;
    for (name, file) in [("cross-fetch", "dist/browser-ponyfill.js"), ("countapi-js", "lib/index.js")] {
        let text =
            std::fs::read_to_string(work.path().join("node_modules").join(name).join(file)).expect(name);
        script
            .push_str(&format!("files[\"{name}\"] = function (module, exports, require) {{\n{text}\n}};\n"));
    }
    let page = format!("<!doctype html><title></title><script>{script}{CALLS}</script>");
    let (app, browser) = visit(page).await;
    browser.until("document.title !== ''").await;
    let title = browser.value("document.title").await;
    let mut results: Value = serde_json::from_str(title.as_str().expect("a title")).expect("JSON");
    for refused in ["out of bounds", "set"] {
        let reason = results[refused].as_object_mut().expect("an answer").remove("error");
        assert!(reason.is_some_and(|reason| reason.is_string()), "{refused}");
    }
    let malformed = results["bad key"]["rejected"].take();
    assert!(
        malformed.as_str().is_some_and(|text| text.starts_with("Malformed Namespace/Key")),
        "{malformed}"
    );
    let of_page = |key: &str| json!({"status": 200, "path": format!("www.example.com/{key}"), "value": 1});
    assert_eq!(
        results,
        json!({
            "missing": {"status": 404, "path": "default/test", "value": null},
            "hit": {"status": 200, "path": "default/test", "value": 1},
            "get": {"status": 200, "path": "default/test", "value": 1},
            "update": {"status": 200, "path": "default/test", "value": 101},
            "out of bounds": {"status": 403, "path": "default/test", "value": 101},
            "update of none": {"status": 404, "path": "default/none", "value": null},
            "set": {"status": 403, "path": "default/test", "old_value": 101, "value": 101},
            "set of none": {"status": 404, "path": "default/none", "old_value": null, "value": null},
            "create": {"status": 200, "path": "mysite.com/fresh", "namespace": "mysite.com", "key": "fresh", "value": 7},
            "bad key": {"rejected": null},
            "bad upper bound": {"rejected": "update_upperbound must be positive"},
            "bad lower bound": {"rejected": "update_lowerbound must be negative"},
            "info": {"status": 200, "path": "mysite.com/fresh", "namespace": "mysite.com", "key": "fresh", "ttl": -1,
                "created": null, "update_lowerbound": -1000, "update_upperbound": 1000, "enable_reset": false, "value": 7},
            "visits": of_page("..."),
            "visits of a page": of_page("global"),
            "event": of_page("magic-button"),
            "random": [200, true, 0],
            "stats": "keys_created,keys_updated,path,requests,status,version",
        })
    );
    assert_eq!(client().get(app.counter("www.example.com~magic-button")).text().await, "1\n");
}

/// Installs the client and what it needs into this directory, in the versions of the lock file.
async fn install(directory: &Path) {
    let versions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/countapi");
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(versions.join(file), directory.join(file)).expect(file);
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--no-audit", "--no-fund"]).current_dir(directory).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(120), command.output()).await;
    let output = output.expect("npm ends in time").expect("npm starts: apt-get install npm");
    assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
}
