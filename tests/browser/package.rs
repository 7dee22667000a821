//! The JavaScript package in `clients/js`.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::chromium::Chromium;
use crate::npm::{build_example, installed_package, npm, package};
use crate::site;
use crate::support::app::TestApp;
use crate::support::chain::Chain;
use crate::support::http::metric;
use crate::support::server::Server;
use crate::support::wait::until;

#[tokio::test]
async fn the_javascript_package_passes_its_own_tests() {
    let work = installed_package().await;
    npm(work.path(), &["test"], &[("LIVECOUNTER_BIN", env!("CARGO_BIN_EXE_livecounter"))]).await;
}

/// Uses the package on a page of another site. The title says what came of it.
const PAGE: &str = r#"<!doctype html><title></title><script type="module">
import { add, get, watch } from "/core.js";
const base = "BASE", values = [];
for await (const { id, value } of watch({ base, id: ["1", "2"] })) {
  values.push(`${id}: ${value}`);
  if (values.length === 2) await add({ base, id: "2" }, { by: 5 });
  if (values.length === 3) break;
}
const unknown = await get(`${base}/nowhere`).catch((error) => error);
document.title = `${values.join(", ")}; ${await get({ base, id: "2" })}; ${unknown.name} ${unknown.status}`;
</script>"#;

#[tokio::test]
async fn the_package_works_on_a_page_of_another_site() {
    let app = TestApp::spawn().await;
    app.add_by("1", 26).await;
    let mut files: HashMap<String, Vec<u8>> = HashMap::new();
    for entry in std::fs::read_dir(package()).expect("the package") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "js") {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            files.insert(format!("/{name}"), std::fs::read(&path).expect("a file"));
        }
    }
    files.insert("/".to_owned(), PAGE.replace("BASE", &app.address).into_bytes());
    let site = site::serve(files).await;
    let browser = Chromium::launch().await;
    browser.open(&site).await;
    browser.until("document.title !== ''").await;
    assert_eq!(browser.value("document.title").await, "1: 26, 2: 0, 2: 5; 5; CounterError 404");
}

#[tokio::test]
async fn a_program_that_watches_goes_on_after_the_proxy_was_killed() {
    let mut chain = Chain::start(2).await;
    let script = format!(
        "import {{ watch }} from {:?};
         for await (const {{ id, value }} of watch({{ base: {:?}, id: ['1', '2'] }})) console.log(`${{id}}: ${{value}}`);",
        package().join("core.js"),
        chain.pushpin.url(""),
    );
    let mut command = Command::new("node");
    command.args(["--input-type=module", "--eval", &script]).stdout(Stdio::piped()).kill_on_drop(true);
    let mut program = command.spawn().expect("node starts: install Node.js 18 or later");
    let mut lines = BufReader::new(program.stdout.take().expect("a pipe")).lines();
    let mut printed = async || {
        let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
        line.expect("a line in time").expect("a readable line").expect("the program goes on")
    };

    assert_eq!([printed().await, printed().await], ["1: 0", "2: 0"]);
    chain.origins[0].add_by("2", 5).await;
    assert_eq!(printed().await, "2: 5");
    chain.pushpin.kill().await;
    chain.origins[1].add_by("1", 7).await;
    chain.pushpin.start_again().await;
    // The other counter has not changed, so it is not given again.
    assert_eq!(printed().await, "1: 7");
    chain.origins[1].add("2").await;
    assert_eq!(printed().await, "2: 6");
}

#[tokio::test]
async fn hooks_share_a_stream_and_end_it_with_their_components() {
    let app = TestApp::with(&[("LIVECOUNTER__COUNTERS__KNOWN", "2,3")]).await;
    app.add_by("2", 26).await;
    app.add_by("3", 7).await;
    let work = installed_package().await;
    let bundle = ["exec", "--", "esbuild", "test/hooks.page.js", "--bundle", "--outfile=page.js"];
    npm(work.path(), &bundle, &[]).await;
    let page = "<!doctype html><link rel=icon href=data:,><p id=react></p><p id=vue></p><p id=svelte></p>
        <b id=react-rendered><button>46</button></b><b id=vue-rendered><button>46</button></b>
        <script src=/page.js></script>";
    let script = std::fs::read(work.path().join("page.js")).expect("the bundle");
    let files = HashMap::from([("/".to_owned(), page.into()), ("/page.js".to_owned(), script)]);
    let browser = Chromium::launch().await;
    browser.open(&site::serve(files).await).await;
    let show = async |url: String| drop(browser.value(&format!("show('{url}')")).await);
    let shown = async |text: &str| {
        for place in ["#react", "#vue", "#svelte"] {
            browser.until_text(place, text).await;
        }
    };
    let listeners = async || metric(&app.address, "livecounter_listeners").await;

    show(app.counter("2")).await;
    shown("26").await;
    until("one stream", async || listeners().await == Some(1.0)).await;
    browser.click("#react button").await;
    shown("36").await;
    browser.click("#vue button").await;
    shown("46").await;
    show(app.counter("3")).await;
    shown("7").await;
    app.add_by("3", 1).await;
    shown("8").await;
    until("one stream again", async || listeners().await == Some(1.0)).await;

    // One address that is no counter's, and a counter that the service refuses.
    for (address, reason) in [(format!("{}/none", app.address), "/none"), (app.counter("4"), "counter")] {
        show(address).await;
        let explained =
            |one: &str| format!("document.querySelector('{one}').textContent.includes('{reason}')");
        browser.until(&["#react", "#vue", "#svelte"].map(explained).join(" && ")).await;
        until("no stream", async || listeners().await == Some(0.0)).await;
        show(app.counter("2")).await;
        shown("46").await;
    }
    browser.value("hide()").await;
    until("no stream", async || listeners().await == Some(0.0)).await;
    assert_eq!(browser.value("document.querySelector('#react, #vue').textContent").await, "");

    browser.value(&format!("hydrate('{}', 46)", app.counter("2"))).await;
    app.add_by("2", 1).await;
    browser.until_text("#react-rendered", "47").await;
    browser.until_text("#vue-rendered", "47").await;

    // React and Vue warn on the console of what hooks do wrong; both also say there how they are best used.
    let mut warnings = browser.console().await;
    let expected = ["React DevTools", "Feature flags", "/topics/counter-4/"];
    warnings.retain(|entry| !expected.iter().any(|text| entry.contains(text)));
    assert_eq!(warnings, Vec::<String>::new());
}

#[tokio::test]
async fn the_other_examples_show_a_live_count_and_add_to_it() {
    let app = TestApp::spawn().await;
    app.add_by("2", 26).await;
    let browser = Chromium::launch().await;
    for name in ["html", "vue", "svelte"] {
        let files = match name {
            "html" => plain_example(&app.address),
            _ => build_example(name, &app.counter("2")).await,
        };
        let site = site::serve(files).await;
        let start = app.read("2").await;
        browser.open(&site).await;
        browser.until_text("strong", &start.to_string()).await;
        app.add_by("2", 1).await;
        browser.until_text("strong", &(start + 1).to_string()).await;
        browser.click("button").await;
        browser.until_text("strong", &(start + 2).to_string()).await;
        browser.until_text("[role=status]", "").await;
    }
    assert_eq!(browser.console().await, Vec::<String>::new());
}

/// The example without a build, for the service at `address`.
fn plain_example(address: &str) -> site::Files {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/html/index.html");
    let page = std::fs::read_to_string(file).expect("the example").replace("http://127.0.0.1:8000", address);
    HashMap::from([("/".to_owned(), page.into_bytes())])
}
