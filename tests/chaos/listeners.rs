//! Listeners that behave as browsers: they reconnect by EventSource's rules, and record the events that they get.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

/// The delay of a reconnect, until a stream sets another one (the standard leaves it to the browser).
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Some hundred listeners, which end when this value is dropped.
pub(crate) struct Listeners {
    records: Arc<ListenerRecords>,
    states: Vec<Arc<Mutex<Seen>>>,
    _tasks: JoinSet<()>,
}

/// The state of one listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) counter: String,
    /// Epoch, revision and value of its last event.
    pub(crate) last: Option<(String, u64, i64)>,
    pub(crate) events: usize,
    pub(crate) connections: usize,
    /// Whether it has an open stream.
    pub(crate) connected: bool,
}

impl Seen {
    /// The value that the listener saw last; `None` where it has seen none.
    pub(crate) fn value(&self) -> Option<i64> {
        self.last.as_ref().map(|(.., value)| *value)
    }
}

/// A value older than the one before it. Whether this is an error depends on what the store has lost.
#[derive(Clone, Debug)]
pub(crate) struct SetBack {
    pub(crate) at: Instant,
    pub(crate) counter: String,
    pub(crate) value: i64,
    /// Whether the epoch was still the same.
    pub(crate) within_epoch: bool,
    /// A description for the message of a failed test.
    pub(crate) text: String,
}

/// The state that all listeners share.
#[derive(Default)]
struct ListenerRecords {
    /// Whether a new connection may begin with an older value than the one before it ended with.
    stale_openings_allowed: Mutex<bool>,
    wrongs: Mutex<Vec<String>>,
    set_backs: Mutex<Vec<SetBack>>,
    /// The value of each event id that a listener has received.
    values: Mutex<HashMap<String, i64>>,
}

impl Listeners {
    /// Starts `count` listeners, spread evenly over the proxies and the counters.
    pub(crate) fn start(count: usize, proxies: &[SocketAddr], counters: &[String]) -> Listeners {
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        let client = client.connect_timeout(Duration::from_secs(5)).build().expect("an HTTP client");
        let (records, mut tasks, mut states) =
            (Arc::<ListenerRecords>::default(), JoinSet::new(), Vec::new());
        for number in 0..count {
            let counter = &counters[number / proxies.len() % counters.len()];
            let url = format!("http://{}/counters/{counter}/", proxies[number % proxies.len()]);
            let seen = Arc::new(Mutex::new(Seen { counter: counter.clone(), ..Seen::default() }));
            states.push(Arc::clone(&seen));
            tasks.spawn(listen(client.clone(), url, seen, Arc::clone(&records)));
        }
        Listeners { records, states, _tasks: tasks }
    }

    /// The present state of each listener.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.states.iter().map(|seen| lock(seen).clone()).collect()
    }

    /// While purges are lost, the cache may answer a *new* connection with an old value, which is then healed: see
    /// docs/failures.md. Within a connection nothing older may ever follow.
    pub(crate) fn allow_stale_openings(&self) {
        *lock(&self.records.stale_openings_allowed) = true;
    }

    /// Prepares for a store that is about to lose data: values may go back, once.
    pub(crate) fn begin_anew(&self) {
        self.states.iter().for_each(|seen| lock(seen).last = None);
        lock(&self.records.values).clear();
    }

    /// All errors so far.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        lock(&self.records.wrongs).clone()
    }

    /// Every older value that followed a newer one.
    pub(crate) fn set_backs(&self) -> Vec<SetBack> {
        lock(&self.records.set_backs).clone()
    }
}

async fn listen(client: reqwest::Client, url: String, seen: Arc<Mutex<Seen>>, records: Arc<ListenerRecords>) {
    let mut retry = FIRST_RETRY;
    loop {
        let request = client.get(&url).header("Accept", "text/event-stream");
        // EventSource gives up on a status other than 200, and pages make a new one (as home.js does), which comes to
        // the same as an error of the network: a new attempt a little later.
        if let Ok(mut stream) = request.send().await
            && stream.status() == 200
        {
            {
                let mut seen = lock(&seen);
                (seen.connections, seen.connected) = (seen.connections + 1, true);
            }
            let mut parser = Parser::default();
            let mut opening = true;
            while let Ok(Some(bytes)) = stream.chunk().await {
                for (id, data) in parser.feed(&bytes, &mut retry) {
                    records.note(&mut lock(&seen), &id, &data, opening);
                    opening = false;
                }
            }
            lock(&seen).connected = false;
        }
        sleep(retry).await;
    }
}

impl ListenerRecords {
    fn note(&self, seen: &mut Seen, id: &str, data: &str, opening: bool) {
        let own = id.strip_prefix(&seen.counter).and_then(|rest| rest.strip_prefix('@'));
        let parts = own.and_then(|id| id.split_once('-'));
        let parts = parts.and_then(|(epoch, revision)| Some((epoch.to_owned(), revision.parse().ok()?)));
        let (Some((epoch, revision)), Ok(value)) = (parts, data.parse::<i64>()) else {
            return self.wrong(format!("an event {id:?} with {data:?}"));
        };
        let known = *lock(&self.values).entry(format!("{} {id}", seen.counter)).or_insert(value);
        if known != value {
            self.wrong(format!("{} {id} was {known} for one listener and {value} for another", seen.counter));
        }
        if let Some((last_epoch, last_revision, last_value)) = &seen.last
            && ((*last_epoch == epoch && *last_revision > revision) || *last_value > value)
            && !(opening && *lock(&self.stale_openings_allowed))
        {
            let (counter, connections) = (seen.counter.clone(), seen.connections);
            let text = format!(
                "{counter}: {epoch}-{revision} ({value}) after {last_epoch}-{last_revision} ({last_value}); \
                 first event: {opening}, connection {connections}"
            );
            let (at, within_epoch) = (Instant::now(), *last_epoch == epoch);
            lock(&self.set_backs).push(SetBack { at, counter, value, within_epoch, text });
        }
        seen.last = Some((epoch, revision, value));
        seen.events += 1;
    }

    fn wrong(&self, wrong: String) {
        lock(&self.wrongs).push(wrong);
    }
}

/// As much of Server-Sent Events as the service sends.
#[derive(Default)]
struct Parser {
    pending: Vec<u8>,
    id: String,
    data: Option<String>,
}

impl Parser {
    /// The events, id and data, that these bytes complete.
    fn feed(&mut self, bytes: &[u8], retry: &mut Duration) -> Vec<(String, String)> {
        self.pending.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.pending.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..end]).into_owned();
            match line.split_once(": ") {
                Some(("id", id)) => self.id = id.to_owned(),
                Some(("data", data)) => self.data = Some(data.to_owned()),
                Some(("retry", ms)) => {
                    *retry = ms.parse().map_or(*retry, Duration::from_millis);
                }
                _ if line.is_empty() => events.extend(self.data.take().map(|data| (self.id.clone(), data))),
                _ => {}
            }
        }
        events
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread has panicked with it")
}
