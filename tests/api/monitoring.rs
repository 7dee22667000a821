//! The metrics, the document that explains them, and the alert rules that use them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use regex::Regex;

use crate::support::app::TestApp;
use crate::support::deployment::PROXY_URL;
use crate::support::process::repository;
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::sse::Listener;
use crate::support::wait::until;

const SOON: Duration = Duration::from_secs(20);

/// The labels of each metric, by the name that its samples have.
type Samples = BTreeMap<String, BTreeSet<String>>;

/// The samples of a text of `/metrics`.
fn samples(text: &str) -> Samples {
    let (label, mut samples) = (Regex::new(r#"[{,]([a-z]+)=""#).expect("a pattern"), Samples::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().expect("a name");
        let labels = label.captures_iter(line).map(|found| found[1].to_owned());
        samples.entry(name.to_owned()).or_default().extend(labels);
    }
    samples
}

/// What origins on Redis and a process on its own have, all limits being set.
async fn all_samples() -> Samples {
    let redis = RedisServer::start();
    let limits = [
        ("LIVECOUNTER__LIMITS__WRITES", "50/s"),
        ("LIVECOUNTER__LIMITS__NEW_TOPICS", "50/s"),
        ("LIVECOUNTER__LIMITS__TOPICS", "1000"),
        ("LIVECOUNTER__LIMITS__STREAMS", "9"),
    ];
    let origin = [("REDIS_URL", redis.url()), ("GRIP_URL", PROXY_URL.to_string())];
    let origin: Vec<(&str, &str)> = origin.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (origin, alone) = (TestApp::with(&[&origin[..], &limits].concat()).await, TestApp::spawn().await);
    let mut all = Samples::new();
    for app in [&origin, &alone] {
        app.add("1").await;
        for (name, labels) in samples(&app.metrics().await) {
            all.entry(name).or_default().extend(labels);
        }
    }
    all
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(repository(path)).expect("a text")
}

/// The metric to which a sample belongs, as the document names it.
fn metric_of(sample: &str) -> &str {
    let name = sample.strip_prefix("livecounter_").unwrap_or(sample);
    ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

#[tokio::test]
async fn every_metric_is_in_the_document_and_has_the_labels_it_says() {
    let text = text_of("docs/monitor.md");
    let (_, table) = text.split_once("| metric | meaning |").expect("the table of metrics");
    let row = Regex::new(r"`([a-z_]+)(?:\{([a-z,]+)\})?`").expect("a pattern");
    let cells = table.lines().skip(2).take_while(|line| line.starts_with("| `"));
    let cells = cells.map(|line| line.split(" | ").next().expect("the first cell").to_owned());
    let documented: Samples = cells
        .flat_map(|cell| {
            let named = row.captures_iter(&cell).map(|found| {
                let labels = found.get(2).map_or("", |labels| labels.as_str());
                let labels = labels.split(',').filter(|label| !label.is_empty()).map(str::to_owned);
                (found[1].to_owned(), labels.collect())
            });
            named.collect::<Vec<_>>()
        })
        .collect();
    let mut exported = Samples::new();
    for (name, mut labels) in all_samples().await {
        labels.remove("le");
        exported.entry(metric_of(&name).to_owned()).or_default().extend(labels);
    }
    assert!(exported.len() > 25, "{exported:?}");
    assert_eq!(documented, exported);
}

#[tokio::test]
async fn every_alert_uses_metrics_and_labels_that_exist_and_says_what_to_do() {
    let (rules, samples) = (text_of("docs/examples/alerts.yml"), all_samples().await);
    let metric = Regex::new(r"\b((?:livecounter|process)_[a-z_]+)(?:\{([^}]*)\})?").expect("a pattern");
    let label = Regex::new("([a-z]+)[!=]").expect("a pattern");
    let mut used = BTreeSet::new();
    for found in metric.captures_iter(&rules) {
        let labels = samples.get(&found[1]).unwrap_or_else(|| panic!("there is no metric {}", &found[1]));
        for of in label.captures_iter(found.get(2).map_or("", |labels| labels.as_str())) {
            // Prometheus adds the name of the job to all that it reads.
            assert!(&of[1] == "job" || labels.contains(&of[1]), "{} has no label {}", &found[1], &of[1]);
        }
        used.insert(found[1].to_owned());
    }
    assert!(used.len() > 12, "{used:?}");
    let alerts: Vec<&str> = rules.split("- alert: Livecounter").skip(1).collect();
    for alert in &alerts {
        for part in ["expr: ", "severity: ", "summary: \"", "do: \""] {
            assert_eq!(alert.matches(part).count(), 1, "{part}: {alert}");
        }
    }
    assert!(alerts.len() > 12, "{} alerts", alerts.len());
}

#[tokio::test]
async fn the_metrics_say_how_full_the_process_is_and_what_it_takes() {
    let app = TestApp::with(&[("LIVECOUNTER__CONNECTIONS__MAX", "40")]).await;
    let value = async |name: &str| {
        let text = app.metrics().await;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name}: {text}")).parse::<f64>().expect("a number")
    };
    assert_eq!(value("livecounter_connections_limit").await, 40.0);
    assert_eq!(value("livecounter_streams_limit").await, 36.0);
    let mut streams = Vec::new();
    for path in ["/counters/1/", "/counters/1,2,3/"] {
        let mut stream = Listener::connect(app.addr, path).await;
        stream.next(SOON).await;
        streams.push(stream);
    }
    assert_eq!(value("livecounter_streams").await, 2.0);
    assert_eq!(value("livecounter_listeners").await, 4.0);
    let open = value("livecounter_connections").await;
    assert!((3.0..=40.0).contains(&open), "two streams and the one that asks: {open}");
    drop(streams);
    until("the streams to be gone", async || {
        value("livecounter_streams").await == 0.0 && value("livecounter_connections").await <= open - 2.0
    })
    .await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the present");
    let age = now.as_secs_f64() - value("process_start_time_seconds").await;
    assert!((0.0..600.0).contains(&age), "{age} s");
    assert!(value("process_resident_memory_bytes").await > 1e6);
    let spent = value("process_cpu_seconds_total").await;
    until("requests to take time", async || value("process_cpu_seconds_total").await > spent).await;
    let version = format!("livecounter_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    assert!(app.metrics().await.contains(&version));
}
