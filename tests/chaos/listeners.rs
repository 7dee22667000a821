//! Listeners that behave as browsers: they reconnect by EventSource's rules, and record the events that they get.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::order::Sight;
use crate::sse::{FIRST_RETRY, Parser, SentEvent, open};

/// The number of listeners that open their first stream at the same time. Of some hundred requests at one moment, Pushpin 1.36
/// answers a few with 502, and cancels others after their first event ("received message out of sequence").
const FIRST_AT_ONCE: usize = 16;

/// Some hundred listeners, which end when this value is dropped.
pub(crate) struct Listeners {
    records: Arc<ListenerRecords>,
    states: Vec<Arc<Mutex<Seen>>>,
    _tasks: JoinSet<()>,
}

/// What one listener has seen of one number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// What the ids of its events begin with: the id of a counter, or the topic of a page or a site.
    pub(crate) name: String,
    /// The number of the proxy that the listener is connected to.
    pub(crate) proxy: usize,
    /// Whether it is a counter that may be set and deleted, so that its value may fall.
    managed: bool,
    /// Epoch, revision and value of its last event.
    pub(crate) last: Option<(String, u64, i64)>,
    /// The epochs that it has seen before the last one.
    past_epochs: HashSet<String>,
    pub(crate) connections: usize,
    /// Whether it has an open stream.
    pub(crate) connected: bool,
}

impl Seen {
    /// The value that the listener saw last; `None` where it has seen none.
    pub(crate) fn value(&self) -> Option<i64> {
        self.last.as_ref().map(|(.., value)| *value)
    }

    /// Whether an event is older than the last one, by its id or, where values only rise, by its value.
    fn is_back(&self, epoch: &str, revision: u64, value: i64) -> bool {
        let Some((last_epoch, last_revision, last_value)) = &self.last else { return false };
        let is_older = last_epoch == epoch && *last_revision > revision;
        // The epoch 0 is that of a number which there is not, so it may come again.
        let is_past = epoch != "0" && last_epoch != epoch && self.past_epochs.contains(epoch);
        is_older || if self.managed { is_past } else { *last_value > value }
    }
}

/// An event older than the one before it. Whether this is an error depends on what the store has lost.
#[derive(Clone, Debug)]
pub(crate) struct SetBack {
    pub(crate) at: Instant,
    pub(crate) name: String,
    pub(crate) value: i64,
    /// Whether it is a counter that may be set and deleted.
    pub(crate) managed: bool,
    /// Whether the epoch was still the same.
    pub(crate) within_epoch: bool,
    /// A description for the message of a failed test.
    pub(crate) text: String,
}

/// What was seen of one number, by epoch and revision.
type Sights = HashMap<(String, u64), Sight>;

/// The state that all listeners share.
#[derive(Default)]
struct ListenerRecords {
    /// Whether a new connection may begin with an older value than the one before it ended with.
    stale_openings_allowed: Mutex<bool>,
    wrongs: Mutex<Vec<String>>,
    set_backs: Mutex<Vec<SetBack>>,
    /// What the first listener saw of each number.
    sights: Mutex<HashMap<String, Sights>>,
}

/// A stream that listeners open.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    path: String,
    /// What it shows, as the ids of its events begin.
    names: Vec<String>,
}

impl Stream {
    pub(crate) fn new(path: String, names: Vec<String>) -> Stream {
        Stream { path, names }
    }

    /// The stream of these counters at the `number`th listener of a proxy: every other one names their topics.
    fn of_counters(counters: Vec<String>, number: usize) -> Stream {
        let (resource, prefix) =
            if number.is_multiple_of(2) { ("counters", "") } else { ("topics", "counter-") };
        let names: Vec<String> = counters.iter().map(|id| format!("{prefix}{id}")).collect();
        Stream::new(format!("/{resource}/{}/", names.join(",")), counters)
    }
}

/// So many streams of one counter, spread evenly over this many proxies and over the counters.
pub(crate) fn single_streams(count: usize, proxies: usize, counters: &[String]) -> Vec<Stream> {
    let stream = |place: usize| Stream::of_counters(vec![counters[place % counters.len()].clone()], place);
    (0..count).map(|number| stream(number / proxies)).collect()
}

/// So many streams for each proxy that show a managed counter, alone and with others.
pub(crate) fn managed_streams(
    count: usize,
    proxies: usize,
    counters: &[String],
    managed: &[String],
) -> Vec<Stream> {
    let mut kinds: Vec<Vec<String>> = managed.iter().map(|counter| vec![counter.clone()]).collect();
    kinds.push([counters, managed].concat());
    kinds.push(managed.to_vec());
    kinds.push(vec![managed[0].clone(), counters[0].clone()]);
    let stream = |place: usize| Stream::of_counters(kinds[place % kinds.len()].clone(), place);
    (0..count * proxies).map(|number| stream(number / proxies)).collect()
}

impl Listeners {
    /// Starts a listener for each of the streams, one proxy after the other.
    pub(crate) fn start(streams: Vec<Stream>, proxies: &[SocketAddr], managed: &[String]) -> Listeners {
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        let client = client.connect_timeout(Duration::from_secs(5)).build().expect("an HTTP client");
        let (records, mut tasks, mut states) =
            (Arc::<ListenerRecords>::default(), JoinSet::new(), Vec::new());
        let turns = Arc::new(Semaphore::new(FIRST_AT_ONCE));
        for (number, Stream { path, names }) in streams.into_iter().enumerate() {
            let proxy = number % proxies.len();
            let url = format!("http://{}{path}", proxies[proxy]);
            let seen = |name: String| {
                let managed = managed.contains(&name);
                Arc::new(Mutex::new(Seen { name, proxy, managed, ..Seen::default() }))
            };
            let of_stream: Vec<_> = names.into_iter().map(seen).collect();
            states.extend(of_stream.iter().cloned());
            let (client, records, turns) = (client.clone(), Arc::clone(&records), Arc::clone(&turns));
            tasks.spawn(async move {
                let turn = turns.acquire_owned().await.expect("the semaphore is never closed");
                listen(client, url, of_stream, records, turn).await;
            });
        }
        Listeners { records, states, _tasks: tasks }
    }

    /// The present state of each listener, one for each number of its stream.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.states.iter().map(|seen| lock(seen).clone()).collect()
    }

    /// How often each listener has connected, in an order that stays the same.
    pub(crate) fn connections(&self) -> Vec<usize> {
        self.states.iter().map(|seen| lock(seen).connections).collect()
    }

    /// While purges are lost, the cache may answer a *new* connection with an old value, which is then healed: see
    /// docs/failures.md. Within a connection nothing older may ever follow.
    pub(crate) fn allow_stale_openings(&self) {
        *lock(&self.records.stale_openings_allowed) = true;
    }

    /// Prepares for a store that is about to lose data: values may go back, once.
    pub(crate) fn begin_anew(&self) {
        for seen in &self.states {
            let mut seen = lock(seen);
            seen.last = None;
            seen.past_epochs.clear();
        }
        lock(&self.records.sights).clear();
    }

    /// All errors so far.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        lock(&self.records.wrongs).clone()
    }

    /// What listeners have seen of a number, in the order of revisions. An epoch comes after those that were seen before it.
    pub(crate) fn sights(&self, name: &str) -> Vec<Sight> {
        let sights = lock(&self.records.sights).get(name).cloned().unwrap_or_default();
        let mut epochs: HashMap<String, Instant> = HashMap::new();
        for ((epoch, _), sight) in &sights {
            let first = epochs.entry(epoch.clone()).or_insert(sight.at);
            *first = sight.at.min(*first);
        }
        // A number that there is not has revision 0 and says nothing of an order.
        let mut sights: Vec<_> = sights.into_iter().filter(|((_, revision), _)| *revision > 0).collect();
        sights.sort_by_key(|((epoch, revision), _)| (epochs[epoch], *revision));
        sights.into_iter().map(|(_, sight)| sight).collect()
    }

    /// Every older value that followed a newer one.
    pub(crate) fn set_backs(&self) -> Vec<SetBack> {
        lock(&self.records.set_backs).clone()
    }
}

async fn listen(
    client: reqwest::Client,
    url: String,
    states: Vec<Arc<Mutex<Seen>>>,
    records: Arc<ListenerRecords>,
    turn: OwnedSemaphorePermit,
) {
    // It is given back when the first stream has a value for each number.
    let mut turn = Some(turn);
    let mut retry = FIRST_RETRY;
    loop {
        let request = client.get(&url).header("Accept", "text/event-stream");
        // EventSource gives up on a status other than 200, and pages make a new one (as home.js does), which comes to
        // the same as an error of the network: a new attempt a little later.
        if let Some(mut stream) = open(request).await {
            for seen in &states {
                let mut seen = lock(seen);
                (seen.connections, seen.connected) = (seen.connections + 1, true);
            }
            let mut parser = Parser::default();
            // The places of the numbers whose first event has come.
            let mut opened = HashSet::new();
            while let Ok(Some(bytes)) = stream.chunk().await {
                for SentEvent { id, data, .. } in parser.feed(&bytes, &mut retry) {
                    let name = id.split_once('@').map(|(name, _)| name);
                    let Some(place) = states.iter().position(|seen| Some(lock(seen).name.as_str()) == name)
                    else {
                        records.wrong(format!("an event {id:?} with {data:?} in {url}"));
                        continue;
                    };
                    let opening = opened.insert(place);
                    if !opening && opened.len() < states.len() {
                        records.wrong(format!(
                            "{url} does not begin with an event for each number: {id:?} again"
                        ));
                    }
                    records.note(&mut lock(&states[place]), &id, &data, opening);
                    if opened.len() == states.len() {
                        drop(turn.take());
                    }
                }
            }
            states.iter().for_each(|seen| lock(seen).connected = false);
        }
        sleep(retry).await;
    }
}

impl ListenerRecords {
    fn note(&self, seen: &mut Seen, id: &str, data: &str, opening: bool) {
        let own = id.strip_prefix(&seen.name).and_then(|rest| rest.strip_prefix('@'));
        let parts = own.and_then(|id| id.split_once('-'));
        let parts = parts.and_then(|(epoch, revision)| Some((epoch.to_owned(), revision.parse().ok()?)));
        let (Some((epoch, revision)), Ok(value)) = (parts, data.parse::<i64>()) else {
            return self.wrong(format!("an event {id:?} with {data:?}"));
        };
        let at = Instant::now();
        let sight = || Sight { id: id.to_owned(), value, at };
        let mut sights = lock(&self.sights);
        let sights = sights.entry(seen.name.clone()).or_default();
        let known = sights.entry((epoch.clone(), revision)).or_insert_with(sight).value;
        if known != value {
            self.wrong(format!("{id} was {known} for one listener and {value} for another"));
        }
        let is_back = seen.is_back(&epoch, revision, value);
        let stale_allowed = opening && *lock(&self.stale_openings_allowed);
        if let Some((last_epoch, last_revision, last_value)) = &seen.last
            && is_back
            && !stale_allowed
        {
            let (name, managed, connections) = (seen.name.clone(), seen.managed, seen.connections);
            let text = format!(
                "{name}: {epoch}-{revision} ({value}) after {last_epoch}-{last_revision} ({last_value}); \
                 first event: {opening}, connection {connections}"
            );
            let within_epoch = *last_epoch == epoch;
            lock(&self.set_backs).push(SetBack { at, name, value, managed, within_epoch, text });
        }
        // What a stale copy in the cache shows says nothing of the epoch that the listener saw before. In a new epoch the revision
        // of a number rises further, so a copy from an epoch that the listener has never seen is known by its revision.
        let is_stale = stale_allowed && (is_back || seen.last.as_ref().is_some_and(|last| revision < last.1));
        if let Some((before, ..)) = seen.last.replace((epoch.clone(), revision, value))
            && before != epoch
            && !is_stale
            // Such a copy may also be from before the number was there.
            && epoch != "0"
        {
            seen.past_epochs.insert(before);
        }
    }

    fn wrong(&self, wrong: String) {
        lock(&self.wrongs).push(wrong);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread has panicked with it")
}

#[test]
fn an_event_that_is_older_than_the_last_one_is_seen() {
    let records = ListenerRecords::default();
    let backs = |managed: bool, events: &[(&str, &str)]| {
        lock(&records.set_backs).clear();
        lock(&records.sights).clear();
        let mut seen = Seen { name: "m".to_owned(), managed, ..Seen::default() };
        for (id, data) in events {
            records.note(&mut seen, &format!("m@{id}"), data, false);
        }
        lock(&records.set_backs).len()
    };
    assert_eq!(backs(true, &[("0-0", "0"), ("e-1", "9"), ("e-2", "0"), ("e-3", "4"), ("e-3", "4")]), 0);
    assert_eq!(backs(true, &[("e-1", "9"), ("e-2", "0"), ("e-1", "9")]), 1, "the deleted number again");
    assert_eq!(backs(true, &[("e-1", "4"), ("e-3", "9"), ("e-2", "7")]), 1);
    assert_eq!(backs(true, &[("e-7", "4"), ("f-1", "2"), ("0-0", "0"), ("g-1", "3")]), 0, "new epochs");
    assert_eq!(backs(true, &[("e-7", "4"), ("f-1", "2"), ("e-8", "5")]), 1, "a past epoch");
    assert_eq!(backs(true, &[("e-7", "4"), ("0-0", "0"), ("e-8", "5")]), 0, "a stale copy between them");
    assert_eq!(backs(false, &[("e-1", "4"), ("e-2", "3")]), 1, "it is only added to");
    assert!(lock(&records.wrongs).is_empty());
    // A new connection may begin with a stale copy, behind which come the epoch that the listener knew and newer ones.
    let backs_after_stale = |before: &[(&str, &str)], stale: (&str, &str), behind: &[(&str, &str)]| {
        let records = ListenerRecords::default();
        *lock(&records.stale_openings_allowed) = true;
        let mut seen = Seen { name: "m".to_owned(), managed: true, ..Seen::default() };
        let events = before.iter().map(|event| (event, false)).chain([(&stale, true)]);
        for ((id, data), opening) in events.chain(behind.iter().map(|event| (event, false))) {
            records.note(&mut seen, &format!("m@{id}"), data, opening);
        }
        lock(&records.set_backs).len()
    };
    let known = [("e-2", "4"), ("f-7", "9")];
    assert_eq!(backs_after_stale(&known, ("e-2", "4"), &[("f-7", "9"), ("g-8", "1")]), 0);
    assert_eq!(backs_after_stale(&known[1..], ("e-2", "4"), &[("f-7", "9")]), 0, "never seen before");
    assert_eq!(backs_after_stale(&known, ("e-2", "4"), &[("f-7", "9"), ("e-2", "4")]), 1, "no opening");
    assert_eq!(backs_after_stale(&known, ("g-8", "1"), &[("f-7", "9")]), 1, "a past epoch");
    backs(true, &[("e-1", "4"), ("e-1", "5"), ("x", "1"), ("e-2", "y")]);
    assert_eq!(lock(&records.wrongs).len(), 3);
}
