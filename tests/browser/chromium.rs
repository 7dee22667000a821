//! A headless Chromium for one test: its own driver, port and profile, which end with this value.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::http;

/// How long a page may take to show an awaited text; generous, since CI machines are slow and busy.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Chromium {
    pub(crate) client: Client,
    session: String,
    // Fields are dropped in this order: the driver ends before its directory is removed.
    _driver: Child,
    _profile: TempDir,
}

impl Chromium {
    pub(crate) async fn launch() -> Self {
        Self::launch_with(false, "").await
    }

    /// A browser that accepts certificates of authorities that it does not know, as those of the tests are.
    pub(crate) async fn launch_trusting_all_certificates() -> Self {
        Self::launch_with(true, "").await
    }

    /// The same, for which these hosts with ports are at these addresses of the machine.
    pub(crate) async fn launch_with_hosts(hosts: &[(&str, SocketAddr)]) -> Self {
        let rules: Vec<String> = hosts.iter().map(|(host, addr)| format!("MAP {host} {addr}")).collect();
        Self::launch_with(true, &rules.join(", ")).await
    }

    async fn launch_with(insecure_certificates: bool, host_rules: &str) -> Self {
        let profile = tempfile::tempdir().expect("a directory for the profile");
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            // Driver and browser leave files behind in their temporary directory.
            .env("TMPDIR", profile.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver starts: apt-get install chromium chromium-driver");
        let address = format!("http://127.0.0.1:{}", announced_port(&mut driver).await);

        let capabilities = json!({
            "acceptInsecureCerts": insecure_certificates,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage",
                // Over a pipe, the browser ends with its driver, even when that is killed.
                "--remote-debugging-pipe",
                format!("--host-resolver-rules={host_rules}"),
                format!("--user-data-dir={}", profile.path().display()),
            ] },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("written as an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&address)
            .await
            .expect("a session: apt-get install chromium chromium-driver");

        let mut timeouts = client.get_timeouts().await.expect("the timeouts");
        timeouts.set_script(Some(PATIENCE));
        client.update_timeouts(timeouts).await.expect("longer timeouts");
        let id = client.session_id().await.expect("the session").expect("its id");
        Chromium { session: format!("{address}/session/{id}"), client, _driver: driver, _profile: profile }
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("the page loads");
    }

    pub(crate) async fn click(&self, css: &str) {
        let element = self.client.find(Locator::Css(css)).await.expect(css);
        element.click().await.expect(css);
    }

    /// The value of the expression in the page now.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.client.execute(&format!("return ({expression});"), Vec::new()).await.expect(expression)
    }

    /// The value that the promise of the expression gives.
    pub(crate) async fn promised(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             (async () => {expression})().then(done, (error) => done('failed: ' + error));"
        );
        self.client.execute_async(&script, Vec::new()).await.expect(expression)
    }

    /// Returns as soon as a change of the page, or a picture that has loaded, makes the expression true.
    pub(crate) async fn until(&self, expression: &str) {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const holds = () => {{ try {{ return {expression}; }} catch {{ return false; }} }};
             if (holds()) return done();
             const look = () => {{ if (holds()) {{ changes.disconnect(); done(); }} }};
             const changes = new MutationObserver(look);
             // A picture that has loaded is no change of the document.
             document.addEventListener('load', look, true);
             changes.observe(document, {{ subtree: true, childList: true, characterData: true, attributes: true }});"
        );
        if let Err(error) = self.client.execute_async(&script, Vec::new()).await {
            let page = self.value("document.body.innerText").await;
            panic!("never true within {PATIENCE:?}: {expression}\n{error}\nthe page then:\n{page}");
        }
    }

    /// Returns once the element shows exactly this text.
    pub(crate) async fn until_text(&self, css: &str, text: &str) {
        let [css, text] = [css, text].map(|word| Value::from(word).to_string());
        self.until(&format!("document.querySelector({css}).textContent === {text}")).await;
    }

    /// Makes each page run this script before its own scripts.
    pub(crate) async fn before_each_page(&self, script: &str) {
        self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    }

    /// Presses the Tab key. What has the focus then must show it, and is marked by the attribute `data-reached`.
    pub(crate) async fn press_tab(&self) {
        for kind in ["rawKeyDown", "keyUp"] {
            let key = json!({ "type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9 });
            self.devtools("Input.dispatchKeyEvent", key).await;
        }
        let focus = "(() => { const one = document.activeElement; one.dataset.reached = '';
            return `${one.tagName} ${getComputedStyle(one).outlineStyle} ${one.matches(':focus-visible')}`; })()";
        let focus = self.value(focus).await;
        let focus = focus.as_str().expect("a text");
        assert!(focus.ends_with(" solid true"), "{focus}");
    }

    /// A command of the DevTools protocol, where WebDriver has none.
    pub(crate) async fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": params })).await
    }

    /// The entries of the console since the last call.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.post("se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().expect("a list of entries");
        entries.iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses of everything that pages have requested from the network since the last call.
    pub(crate) async fn requested(&self) -> Vec<String> {
        let entries = self.post("se/log", json!({ "type": "performance" })).await;
        let entries = entries.as_array().expect("a list of entries");
        let events = entries.iter().map(|entry| {
            let text = entry["message"].as_str().expect("a DevTools event");
            serde_json::from_str::<Value>(text).expect("events are JSON")["message"].take()
        });
        let requests = events.filter(|event| event["method"] == "Network.requestWillBeSent");
        let address = |event: Value| event["params"]["request"]["url"].as_str().map(str::to_owned);
        let addresses = requests.map(|event| address(event).expect("requests have an address"));
        // The browser's own first page is built from chrome: addresses.
        addresses.filter(|url| !url.starts_with("chrome:") && !url.starts_with("data:")).collect()
    }

    async fn post(&self, command: &str, body: Value) -> Value {
        let url = format!("{}/{command}", self.session);
        let answer = http::client().post(url).json(&body).send().await.expect("the driver answers");
        let mut answer: Value = answer.json().await.expect("the driver answers in JSON");
        assert_eq!(answer["value"]["error"], Value::Null, "{command}: {answer}");
        answer["value"].take()
    }
}

/// The free port that the driver has taken, which it prints.
async fn announced_port(driver: &mut Child) -> u16 {
    let stdout = driver.stdout.take().expect("a piped output");
    let mut lines = BufReader::new(stdout).lines();
    let port = async {
        while let Some(line) = lines.next_line().await.expect("lines of text") {
            if let Some((_, port)) = line.split_once("successfully on port ") {
                return port.trim_end_matches('.').parse().expect("a port");
            }
        }
        panic!("chromedriver ended without a word of its port");
    };
    let port = tokio::time::timeout(PATIENCE, port).await.expect("chromedriver starts in time");
    // The driver would block if its output were not read.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    port
}
