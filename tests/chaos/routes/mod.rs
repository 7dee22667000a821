//! Feeds and entities in a chain: clients that write to them, clients that listen, and what must be true of both.

mod entity_checker;
mod feed_checker;
mod followers;
mod targets;
mod watchers;
mod writing;

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Client;

use self::followers::Followers;
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
            let attempts = self.writers.attempts(target);
            if target.is_feed() {
                let streams = self.followers.streams(target);
                wrongs.extend(feed_checker::wrongs(&attempts, &streams, kept == Kept::All));
            } else {
                let state = target.state(&self.client, base, &self.owner).await.expect("an answer");
                wrongs.extend(entity_checker::wrongs(&attempts, &state));
                wrongs.extend(self.watchers.wrongs(target, &attempts, kept == Kept::All));
            }
        }
        wrongs.extend(self.followers.below_wrongs(kept == Kept::All));
        wrongs
    }

    /// A line for the output of the test.
    pub(crate) fn summary(&self) -> String {
        let each = Target::ALL.map(|target| {
            let shown = match target.is_feed() {
                true => self.followers.shown(target),
                false => self.watchers.shown(target),
            };
            format!("{}: {} drops, {shown} events shown", target.name(), self.writers.attempts(target).len())
        });
        each.join("; ")
    }

    /// How many drops were sent and not answered.
    pub(crate) fn unanswered(&self) -> usize {
        let unanswered = |target| self.writers.attempts(target).iter().filter(|it| it.id.is_none()).count();
        Target::ALL.into_iter().map(unanswered).sum()
    }
}
