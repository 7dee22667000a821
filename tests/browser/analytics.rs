//! The tutorial of real-time analytics, from its second step to its last: its commands, its curl and its scripts as they are written, with
//! the address and the key of the test in their places.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::chromium::Chromium;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client, metric};
use crate::support::keys::owner;
use crate::support::wait::until;

const PATIENCE: Duration = Duration::from_secs(30);

const COUNT: &str = "incr analytics/daily @2026-02-10 .page_views
incr analytics/daily @2026-02-10 .requests
";

const READ: &str = "read analytics/daily @2026-02-10";

const ENDPOINTS: &str = r#"-- Track a POST /drop request
incr analytics/endpoints @2026-02-10 ."POST /drop"
-- Track a GET /entity request
incr analytics/endpoints @2026-02-10 ."GET /entity/*"
"#;

const QUERY: &str =
    r#"sql `SELECT key AS date, page_views, requests FROM "analytics/daily" ORDER BY key DESC LIMIT 7`"#;

const EVENT: &str = r#"-- Write an event drop (no key = events accumulate, never overwritten)
write analytics/events { method: "POST", path: "/drop", status: 200 }
"#;

const CURL: &str = r#"curl -N https://api.infiniteocean.io/live/analytics/events \
-H "X-Ocean-Key: YOUR_KEY""#;

const FEED: &str = "const events = new EventSource('/live/analytics/events?_key=YOUR_KEY');
events.onmessage = (e) => {
const event = JSON.parse(e.data);
addToLiveFeed(event); // render in your UI
};";

const DASHBOARD: &str = "// Fetch daily stats
const res = await fetch('/entity/analytics/daily/2026-02-10', {
headers: { 'X-Ocean-Key': key }
});
const stats = await res.json();
document.getElementById('views').textContent = stats.payload.page_views;
// Live feed
const sse = new EventSource(`/live/analytics/events?_key=${key}`);
sse.onmessage = (e) => {
const ev = JSON.parse(e.data);
// prepend to activity list
};";

/// The service, and a key that may do everything.
struct Tutorial {
    app: TestApp,
    key: String,
}

impl Tutorial {
    async fn begin() -> Tutorial {
        let (secret, keys) = owner();
        let tally = ("LIVECOUNTER__ADMIN__TALLY", "true");
        let app = TestApp::with(&[("LIVECOUNTER__KEYS", keys), tally]).await;
        Tutorial { app, key: secret.expose().to_owned() }
    }

    /// Runs commands, and returns what the last of them answers.
    async fn exec(&self, commands: &str) -> Value {
        let request = client().post(format!("{}/exec", self.app.address)).header("x-ocean-key", &self.key);
        let answer = request.body(commands.to_owned()).answer().await;
        let (status, text) = (answer.status(), answer.text().await.expect("a text"));
        assert_eq!(status, 200, "{commands}: {text}");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        answer["results"].as_array().and_then(|results| results.last()).expect("a result")["result"].clone()
    }

    /// The text with the address and the key of the test.
    fn here(&self, text: &str) -> String {
        text.replace("https://api.infiniteocean.io", &self.app.address).replace("YOUR_KEY", &self.key)
    }

    /// A terminal in which the command runs.
    fn terminal(&self, command: &str) -> Terminal {
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {}", self.here(command))])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a shell");
        let lines = BufReader::new(child.stdout.take().expect("a piped output")).lines();
        Terminal { lines, _child: child }
    }
}

/// The output of a running program, which ends with this value.
struct Terminal {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Terminal {
    /// Waits for the next line with data, and returns the data as JSON.
    async fn data(&mut self) -> Value {
        let next = async {
            while let Some(line) = self.lines.next_line().await.expect("lines of text") {
                if let Some(data) = line.strip_prefix("data: ") {
                    return serde_json::from_str(data).expect("JSON");
                }
            }
            panic!("curl ended: apt-get install curl, or see what the service has answered");
        };
        timeout(PATIENCE, next).await.expect("an event in time")
    }
}

#[tokio::test]
async fn the_tutorial_of_analytics_works_as_it_is_written() {
    let tutorial = Tutorial::begin().await;
    let exec = async |commands: &str| tutorial.exec(commands).await;
    let event = json!({ "method": "POST", "path": "/drop", "status": 200 });

    exec(COUNT).await;
    assert_eq!(exec(READ).await, json!({ "page_views": 1, "requests": 1 }));
    exec(ENDPOINTS).await;
    let endpoints = exec("read analytics/endpoints @2026-02-10").await;
    assert_eq!(endpoints, json!({ "POST /drop": 1, "GET /entity/*": 1 }));
    let days = json!([{ "date": "2026-02-10", "page_views": 1, "requests": 1 }]);
    assert_eq!(exec(QUERY).await["rows"], days);

    // An event from before a stream begins is not in it, so the program must be listening first.
    let mut terminal = tutorial.terminal(CURL);
    until_listened(&tutorial, 1).await;
    exec(EVENT).await;
    assert_eq!(terminal.data().await, event);

    let browser = Chromium::launch().await;
    // A page without a stream of its own.
    browser.open(&format!("{}/healthz", tutorial.app.address)).await;
    let page = "document.body.innerHTML = '<p id=\"views\"></p><ul id=\"feed\"></ul>';
        window.addToLiveFeed = (event) => {
            const item = document.createElement('li');
            item.textContent = `${event.method} ${event.path} ${event.status}`;
            document.getElementById('feed').append(item);
        };";
    browser.client.execute(page, Vec::new()).await.expect("a page");
    browser.client.execute(&tutorial.here(FEED), Vec::new()).await.expect("a script");
    until_listened(&tutorial, 2).await;
    exec(EVENT).await;
    browser.until_text("#feed", "POST /drop 200").await;
    assert_eq!(terminal.data().await, event);

    let script = format!("const key = {:?};\nreturn (async () => {{\n{DASHBOARD}\n}})();", tutorial.key);
    browser.client.execute(&script, Vec::new()).await.expect("a script");
    browser.until_text("#views", "1").await;
    until_listened(&tutorial, 3).await;

    // The service's own dashboard: the same entities and a feed, which its traffic changes.
    for route in ["daily", "hourly", "endpoints", "status"] {
        let query = format!("sql `SELECT payload FROM \"_admin/{route}\"`");
        until(route, async || exec(&query).await["rows"].as_array().is_some_and(|rows| !rows.is_empty()))
            .await;
    }
    let own = FEED.replace("/live/analytics/events", "/live/_admin/events");
    browser.client.execute(&tutorial.here(&own), Vec::new()).await.expect("a script");
    until_listened(&tutorial, 4).await;
    exec(READ).await;
    browser.until("document.querySelector('#feed').textContent.includes('POST /exec 200')").await;
}

/// Waits until so many streams are open.
async fn until_listened(tutorial: &Tutorial, count: u32) {
    let listeners = async || metric(&tutorial.app.address, "livecounter_listeners").await;
    until("streams are open", async || listeners().await == Some(count.into())).await;
}
