//! An older copy of the embedded store's file is restored while a proxy has listeners that have seen later values. The test
//! runs the commands of docs/backup.md.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::fault_proxy::FaultProxy;
use crate::listeners::{Listeners, single_streams};
use crate::origin::Origin;
use crate::support::http::{Ask, client};
use crate::support::port::Port;
use crate::support::process;
use crate::support::pushpin::{Options, Pushpin};
use crate::world::until;
use crate::writers::Writers;

const COUNTERS: [&str; 3] = ["a", "b", "c"];
const SOON: Duration = Duration::from_secs(10);
const WRITERS: i64 = 6;

/// One origin with a file, behind a Pushpin.
struct Chain {
    origin: Origin,
    pushpin: Pushpin,
    control: FaultProxy,
    listeners: Listeners,
    directory: tempfile::TempDir,
}

impl Chain {
    async fn start() -> Chain {
        process::require("sqlite3", "sqlite3");
        let (control, directory) = (FaultProxy::start().await, tempfile::tempdir().expect("a directory"));
        let grip = format!("http://{}/?iss=test&key={}", control.addr(), Options::default().sig_key);
        let file = directory.path().join("livecounter.db").display().to_string();
        let environment = [("GRIP_URL", grip), ("LIVECOUNTER__SQLITE__PATH", file)];
        let environment = environment.map(|(name, value)| (name.to_owned(), value));
        let mut origin = Origin::new(Port::reserve(), environment.into());
        origin.run().await;
        let pushpin = Pushpin::start(origin.addr()).await;
        control.lead_to(
            pushpin.control_url()["http://".len()..].trim_end_matches('/').parse().expect("an address"),
        );
        let streams = single_streams(30, 1, &COUNTERS.map(str::to_owned));
        let listeners = Listeners::start(streams, &[pushpin.addr()], &[]);
        let left = async || listeners.seen().iter().filter(|seen| seen.last.is_none()).count() as i64;
        until("every listener to have a value", SOON, left, |left| left == 0).await;
        Chain { origin, pushpin, control, listeners, directory }
    }

    fn base(&self) -> String {
        format!("http://{}", self.pushpin.addr())
    }

    async fn values(&self) -> HashMap<String, i64> {
        let mut values = HashMap::new();
        for counter in COUNTERS {
            let url = self.origin.url(&format!("/counters/{counter}/"));
            let text = client().get(url).text().await;
            values.insert(counter.to_owned(), text.trim().parse().expect("a number"));
        }
        values
    }

    async fn listeners_see(&self, values: &HashMap<String, i64>) {
        let behind = async || {
            let seen = self.listeners.seen().into_iter();
            seen.filter(|seen| seen.value() != Some(values[&seen.name])).count() as i64
        };
        until("every listener to see the last value", SOON, behind, |behind| behind == 0).await;
    }

    /// Runs the command of docs/backup.md that begins like this, in the directory of the database.
    fn run_documented(&self, beginning: &str) {
        let guide = std::fs::read_to_string(process::repository("docs/backup.md")).expect("the guide");
        let line = guide.lines().find(|line| line.trim_start().starts_with(beginning));
        let line = line.unwrap_or_else(|| panic!("the guide says nothing that begins with {beginning}"));
        run(line, self.directory.path());
    }
}

fn run(line: &str, directory: &Path) {
    let output = Command::new("sh").args(["-ec", line]).current_dir(directory).output().expect("a shell");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_see_a_restored_copy_of_the_file_and_count_on_from_it() {
    let mut chain = Chain::start().await;
    let mut writers = Writers::start(WRITERS as usize, &[chain.base()], &COUNTERS.map(str::to_owned), 1);
    let answered = |writers: &Writers| writers.acknowledged() as i64;
    until("POSTs", SOON, async || answered(&writers), |count| count >= 100).await;
    chain.run_documented("sqlite3 livecounter.db \"VACUUM INTO");
    let copied = answered(&writers);
    until("more POSTs", SOON, async || answered(&writers), |count| count >= copied + 100).await;
    writers.stop(SOON).await;
    let before = chain.values().await;
    assert_eq!(before.values().sum::<i64>(), answered(&writers), "the copy has harmed nothing");
    chain.listeners_see(&before).await;
    // Pushpin 1.36 cancels some streams at their beginning ("received message out of sequence"). By now all have been opened again.
    let connections = chain.listeners.connections();

    chain.origin.stop().await;
    chain.run_documented("mv copy.db livecounter.db");
    chain.run_documented("sqlite3 livecounter.db \"UPDATE topic");
    chain.listeners.begin_anew();
    chain.origin.run().await;
    let restored = chain.values().await;
    // The copy has every addition that was answered before it began, and at most one more of each writer.
    assert!((100..=copied + WRITERS).contains(&restored.values().sum()), "{restored:?} of {copied}");
    // No counter changes: the service announces all of them after its start.
    chain.listeners_see(&restored).await;
    // As many changes as were forgotten, of another amount: without new epochs, their event ids would be used twice.
    for _ in restored["a"]..before["a"] {
        let answer = client().post(format!("{}/counters/a/?by=10", chain.base())).answer().await;
        assert_eq!(answer.status(), 200);
    }
    let after = chain.values().await;
    assert_eq!(after["a"], restored["a"] + 10 * (before["a"] - restored["a"]));
    chain.listeners_see(&after).await;
    assert_eq!(chain.listeners.wrongs(), Vec::<String>::new());
    assert_eq!(
        chain.listeners.connections(),
        connections,
        "every listener is on the stream that it had before"
    );
    chain.control.records(|records| assert!(!records.is_empty()));
}
