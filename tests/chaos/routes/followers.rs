//! Listeners of feeds. They record every event that they are shown, in the order of the stream.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use reqwest::Client;
use serde_json::Value;
use tokio::task::JoinSet;

use super::feed_checker::{FeedStream, Shown};
use super::history::History;
use super::targets::Target;
use crate::managers::Owner;
use crate::sse::{Happening, SentEvent, follow};

/// The number of listeners of each feed at each proxy.
const OF_EACH: usize = 3;
/// A stream of all feeds below a route, which promises less: it has no order and no past.
const BELOW: &str = "/live/open/*";
/// The feed whose events it shows.
pub(crate) const IN_BELOW: Target = Target::ALL[0];

/// Running listeners, which end when this value is dropped.
pub(crate) struct Followers {
    followers: Vec<Follower>,
    /// What the listeners of all feeds below a route were shown.
    below: Vec<Follower>,
    _tasks: JoinSet<()>,
}

struct Follower {
    /// The feed; `None` for all feeds below a route.
    target: Option<Target>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    connected: bool,
    stream: FeedStream,
    wrongs: Vec<String>,
}

impl Followers {
    pub(crate) fn start(client: &Client, proxies: &[SocketAddr], owner: &Owner) -> Followers {
        let (mut all, mut below, mut tasks) = (Vec::new(), Vec::new(), JoinSet::new());
        for proxy in proxies {
            for target in Target::ALL.into_iter().filter(|target| target.is_feed()) {
                for number in 0..OF_EACH {
                    // Some listeners ask for all events, as a client does that has seen none.
                    let whole = number % 2 == 0;
                    let query = if whole { "?last_event_id=0-0" } else { "" };
                    let bearer = (!target.is_open()).then(|| owner.secret().to_owned());
                    let state = Arc::new(Mutex::new(State::default()));
                    lock(&state).stream.whole = whole;
                    let url = format!("http://{proxy}{}{query}", target.stream());
                    let noted = Arc::clone(&state);
                    let note = move |happening| lock(&noted).note(happening, &target.name());
                    tasks.spawn(follow(client.clone(), url, bearer, note));
                    all.push(Follower { target: Some(target), state });
                }
            }
            let state = Arc::new(Mutex::new(State::default()));
            let noted = Arc::clone(&state);
            let note = move |happening| lock(&noted).note(happening, &IN_BELOW.name());
            tasks.spawn(follow(client.clone(), format!("http://{proxy}{BELOW}"), None, note));
            below.push(Follower { target: None, state });
        }
        Followers { followers: all, below, _tasks: tasks }
    }

    pub(crate) fn unconnected(&self) -> usize {
        let all = self.followers.iter().chain(&self.below);
        all.filter(|follower| !lock(&follower.state).connected).count()
    }

    /// Listeners may be shown older events, once.
    pub(crate) fn begin_anew(&self) {
        for follower in self.followers.iter().chain(&self.below) {
            lock(&follower.state).stream.shown.push(Shown::Anew);
        }
    }

    fn of(&self, target: Target) -> impl Iterator<Item = &Follower> {
        self.followers.iter().filter(move |follower| follower.target == Some(target))
    }

    /// The number of listeners whose last event is not the one at this position.
    pub(crate) fn behind(&self, target: Target, position: &Value) -> usize {
        // A feed without an event.
        if position.as_str().is_none_or(|position| position.ends_with("-0")) {
            return 0;
        }
        self.of(target).filter(|follower| lock(&follower.state).stream.last() != position.as_str()).count()
    }

    /// What each listener of a feed was shown.
    pub(crate) fn streams(&self, target: Target) -> Vec<FeedStream> {
        self.of(target).map(|follower| lock(&follower.state).stream.clone()).collect()
    }

    /// How many events the listeners of a feed were shown.
    pub(crate) fn shown(&self, target: Target) -> usize {
        self.of(target).map(|follower| lock(&follower.state).stream.shown.len()).sum()
    }

    /// What is wrong with streams by themselves: those of all feeds below a route show the events of the feed itself. If not all is `kept`, the listeners
    /// of the feed may have been told of a gap instead; and so they may of events that were deleted, which must be those that writers have sent.
    pub(crate) fn below_wrongs(&self, history: &History, kept: bool) -> Vec<String> {
        let mut known: HashMap<String, Value> = HashMap::new();
        for stream in self.streams(IN_BELOW) {
            known.extend(stream.events().map(|(id, payload)| (id.to_owned(), payload.clone())));
        }
        let mut wrongs = Vec::new();
        for follower in self.followers.iter().chain(&self.below) {
            wrongs.extend(lock(&follower.state).wrongs.clone());
        }
        for follower in &self.below {
            let stream = lock(&follower.state).stream.clone();
            let is_other = |id: &str, payload: &Value| match known.get(id) {
                Some(known) => known != payload,
                None => kept && !history.has_sent(id, payload),
            };
            let others = stream.events().filter(|(id, payload)| is_other(id, payload));
            wrongs.extend(others.map(|(id, payload)| format!("{BELOW} has shown {payload} as {id}")));
        }
        wrongs
    }
}

impl State {
    fn note(&mut self, happening: Happening, feed: &str) {
        let SentEvent { id, event, data } = match happening {
            Happening::Event(event) => event,
            Happening::Connected => return self.connected = true,
            Happening::Disconnected => return self.connected = false,
        };
        let own = id.strip_prefix(feed).and_then(|id| id.strip_prefix('@'));
        match (own, event.as_str(), serde_json::from_str(&data)) {
            // A gap of a stream of all feeds below a route has no id of its own.
            (_, "gap", Ok(gap)) if is_prefix_gap(&gap) => {}
            (Some(id), "gap", Ok(gap)) => self.stream.shown.push(Shown::Gap { to: id.to_owned(), gap }),
            (Some(id), "message", Ok(payload)) => {
                self.stream.shown.push(Shown::Event { id: id.to_owned(), payload });
            }
            _ => self.wrongs.push(format!("an event {event:?} {id:?} with {data:?} in a stream of {feed}")),
        }
    }
}

fn is_prefix_gap(gap: &Value) -> bool {
    gap["reason"] == "prefix"
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread has panicked with it")
}
