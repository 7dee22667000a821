//! Listeners of entities, and what each was shown.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use reqwest::Client;
use serde_json::Value;
use tokio::task::JoinSet;

use super::entity_checker::{self, EntitySight};
use super::history::History;
use super::targets::Target;
use crate::managers::Owner;
use crate::sse::{Happening, SentEvent, follow};

/// The number of listeners of each entity at each proxy.
const OF_EACH: usize = 2;

/// Running listeners, which end when this value is dropped.
pub(crate) struct Watchers {
    watchers: Vec<Watcher>,
    _tasks: JoinSet<()>,
}

struct Watcher {
    target: Target,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    connected: bool,
    /// What was shown; `None` where the test has made the store lose data.
    sights: Vec<Option<EntitySight>>,
    wrongs: Vec<String>,
}

impl Watchers {
    pub(crate) fn start(client: &Client, proxies: &[SocketAddr], owner: &Owner) -> Watchers {
        let (mut watchers, mut tasks) = (Vec::new(), JoinSet::new());
        for proxy in proxies {
            for target in Target::ALL.into_iter().filter(|target| !target.is_feed()) {
                for _ in 0..OF_EACH {
                    let bearer = (!target.is_open()).then(|| owner.secret().to_owned());
                    let state = Arc::new(Mutex::new(State::default()));
                    let noted = Arc::clone(&state);
                    let note = move |happening| lock(&noted).note(happening, target);
                    let url = format!("http://{proxy}{}", target.stream());
                    tasks.spawn(follow(client.clone(), url, bearer, note));
                    watchers.push(Watcher { target, state });
                }
            }
        }
        Watchers { watchers, _tasks: tasks }
    }

    pub(crate) fn unconnected(&self) -> usize {
        let waiting = |state: &State| !state.connected || state.sights.is_empty();
        self.watchers.iter().filter(|watcher| waiting(&lock(&watcher.state))).count()
    }

    /// Listeners may be shown older fields, once.
    pub(crate) fn begin_anew(&self) {
        self.watchers.iter().for_each(|watcher| lock(&watcher.state).sights.push(None));
    }

    fn of(&self, target: Target) -> impl Iterator<Item = &Watcher> {
        self.watchers.iter().filter(move |watcher| watcher.target == target)
    }

    /// The number of listeners that show something else than this payload.
    pub(crate) fn behind(&self, target: Target, payload: &Value) -> usize {
        let shows = |watcher: &&Watcher| {
            let state = lock(&watcher.state);
            state.sights.iter().rev().flatten().next().is_some_and(|sight| sight.payload == *payload)
        };
        self.of(target).filter(|watcher| !shows(watcher)).count()
    }

    /// How many events the listeners of an entity were shown.
    pub(crate) fn shown(&self, target: Target) -> usize {
        self.of(target).map(|watcher| lock(&watcher.state).sights.iter().flatten().count()).sum()
    }

    /// What is wrong with what the listeners of an entity were shown.
    pub(crate) fn wrongs(&self, target: Target, history: &History, kept: bool) -> Vec<String> {
        let (mut wrongs, mut streams) = (Vec::new(), Vec::new());
        for watcher in self.of(target) {
            let state = lock(&watcher.state);
            wrongs.extend(state.wrongs.clone());
            streams.push(state.sights.clone());
        }
        wrongs.extend(entity_checker::shown_wrongs(history, &streams, kept));
        wrongs
    }
}

impl State {
    fn note(&mut self, happening: Happening, target: Target) {
        let SentEvent { id, event, data } = match happening {
            Happening::Event(event) => event,
            Happening::Connected => return self.connected = true,
            Happening::Disconnected => return self.connected = false,
        };
        let own = id.strip_prefix(&target.name()).and_then(|id| id.strip_prefix('@'));
        match (own.and_then(|id| EntitySight::parse(id, &data)), event.as_str()) {
            (Some(sight), "message") => self.sights.push(Some(sight)),
            _ => {
                self.wrongs.push(format!("an event {event:?} {id:?} with {data:?} in a stream of {target:?}"))
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread has panicked with it")
}
