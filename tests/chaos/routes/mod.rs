//! Feeds and entities in a chain: clients that write to them, clients that listen, and what must be true of both.

mod entity_checker;
mod feed_checker;
mod followers;
mod history;
mod targets;
mod watchers;
mod writing;

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Client;

use self::followers::Followers;
use self::history::History;
pub(crate) use self::targets::{PUBLIC, Target};
use self::watchers::Watchers;
use self::writing::DropWriters;
pub(crate) use self::writing::drop_id;
use crate::managers::Owner;

/// How much of what happened a checker may count on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Everything that was shown or answered is kept.
    All,
    /// What was answered is kept; listeners may have been shown more, and may be told of a gap.
    Answered,
    /// Answered changes may be lost.
    Some,
}

/// The writers and listeners of all feeds and entities of a world, which end when this value is dropped.
pub(crate) struct Routes {
    followers: Followers,
    watchers: Watchers,
    writers: DropWriters,
    owner: Owner,
    client: Client,
}

impl Routes {
    /// Starts the listeners of each proxy. Nothing is written yet.
    pub(crate) fn start(proxies: &[SocketAddr], owner: &Owner) -> Routes {
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0);
        let client = client.connect_timeout(Duration::from_secs(5)).build().expect("an HTTP client");
        let followers = Followers::start(&client, proxies, owner);
        let watchers = Watchers::start(&client, proxies, owner);
        let requests = Client::builder().no_proxy().timeout(Duration::from_secs(5));
        let client = requests.build().expect("an HTTP client");
        Routes { followers, watchers, writers: DropWriters::default(), owner: owner.clone(), client }
    }

    /// The number of listeners without an open stream.
    pub(crate) fn unconnected(&self) -> usize {
        self.followers.unconnected() + self.watchers.unconnected()
    }

    /// Starts new writers without the records of the old ones, which must have been stopped.
    pub(crate) fn write_anew(&mut self, count: usize, bases: &[String], seed: u64) {
        self.writers = DropWriters::start(count, bases, &self.owner, seed);
    }

    /// Writes once more to every feed and entity; this must be answered well.
    pub(crate) async fn write_to_all(&self, base: &str) {
        self.writers.write_to_all(&self.client, base, &self.owner).await;
    }

    /// Stops the writers and waits until all have ended.
    pub(crate) async fn stop(&mut self, within: Duration) {
        self.writers.stop(within).await;
    }

    /// Prepares for a store that is about to lose data: listeners may be shown older states, once.
    pub(crate) fn begin_anew(&self) {
        self.followers.begin_anew();
        self.watchers.begin_anew();
    }

    /// The number of listeners that have not got the last event of their feed, or the present fields of their entity. `base` is a running origin.
    pub(crate) async fn behind(&self, base: &str) -> i64 {
        let mut behind = 0;
        for target in Target::ALL {
            let Some(state) = target.state(&self.client, base, &self.owner).await else { return i64::MAX };
            behind += match target.is_feed() {
                true => self.followers.behind(target, &state),
                false => self.watchers.behind(target, &state),
            };
        }
        behind as i64
    }

    /// Whatever is wrong with what writers were answered and listeners were shown. All must have got the last state.
    pub(crate) async fn wrongs(&self, base: &str, kept: Kept) -> Vec<String> {
        if kept == Kept::Some {
            return Vec::new();
        }
        let mut wrongs = self.writers.wrongs();
        for target in Target::ALL {
            let (history, all) = (self.writers.history(target), kept == Kept::All);
            let answer = target.answer(&self.client, base, &self.owner).await.expect("an answer");
            if target.is_feed() {
                let last = answer["position"].as_str().map_or(0, history::revision);
                let streams = self.followers.streams(target);
                wrongs.extend(feed_checker::wrongs(&history, &streams, last, all));
                if target == followers::IN_BELOW {
                    wrongs.extend(self.followers.below_wrongs(&history, all));
                }
            } else {
                let last = answer["rev"].as_u64().unwrap_or(0);
                wrongs.extend(entity_checker::wrongs(&history, &answer["payload"], last, all));
                wrongs.extend(self.watchers.wrongs(target, &history, all));
            }
        }
        wrongs
    }

    /// A line for the output of the test.
    pub(crate) fn summary(&self) -> String {
        let each = Target::ALL.map(|target| {
            let shown = match target.is_feed() {
                true => self.followers.shown(target),
                false => self.watchers.shown(target),
            };
            let History { attempts, deletions } = self.writers.history(target);
            let (drops, deletions) = (attempts.len(), deletions.len());
            format!("{}: {drops} drops, {deletions} deletions, {shown} events shown", target.name())
        });
        each.join("; ")
    }

    /// How many drops and deletions were sent and not answered.
    pub(crate) fn unanswered(&self) -> usize {
        Target::ALL.into_iter().map(|target| self.writers.history(target).unanswered()).sum()
    }
}
