//! One process with its embedded store, which holds all streams itself, is killed and restarted under load.

use std::time::Duration;

use crate::checker;
use crate::hits;
use crate::listeners::{Listeners, managed_streams, single_streams};
use crate::managers::{Managers, Owner};
use crate::order::disorder;
use crate::origin::Origin;
use crate::support::http::{Ask, client};
use crate::support::port::Port;
use crate::world::until;
use crate::writers::Writers;

const SOON: Duration = Duration::from_secs(20);

/// The process, its listeners and its writers.
struct Service {
    origin: Origin,
    listeners: Listeners,
    writers: Writers,
    managers: Managers,
    visitors: Writers,
    counters: Vec<String>,
    managed: Vec<String>,
    _directory: tempfile::TempDir,
}

impl Service {
    async fn start() -> Service {
        let (directory, owner) = (tempfile::tempdir().expect("a directory"), Owner::new());
        let file = directory.path().join("livecounter.db").display().to_string();
        let path = ("LIVECOUNTER__SQLITE__PATH".to_owned(), file);
        let mut origin = Origin::new(Port::reserve(), vec![path, owner.setting()]);
        origin.run().await;
        let counters: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        let managed: Vec<String> = ["m", "n"].map(str::to_owned).into();
        let mut streams = single_streams(60, 1, &counters);
        streams.extend(managed_streams(30, 1, &counters, &managed));
        streams.extend(hits::streams(10, 1, &counters[0]));
        let listeners = Listeners::start(streams, &[origin.addr()], &managed);
        let bases = [origin.url("")];
        let writers = Writers::start(6, &bases, &counters, 1);
        let managers = Managers::start(4, &bases, &managed, &owner, 1);
        let visitors = Writers::of_pages(3, &bases, &hits::pages(), 1);
        let _directory = directory;
        Service { origin, listeners, writers, managers, visitors, counters, managed, _directory }
    }

    async fn write_on(&self, count: usize) {
        let from = self.writers.acknowledged();
        let more = async || (self.writers.acknowledged() - from) as i64;
        until("POSTs to be answered", SOON, more, |more| more >= count as i64).await;
    }

    async fn value(&self, name: &str) -> i64 {
        let text = client().get(self.origin.url(&hits::path(name))).text().await;
        text.trim().parse().expect("a number")
    }

    /// Ends the writing and checks everything.
    async fn end(&mut self) {
        self.writers.stop(SOON).await;
        self.managers.stop(SOON).await;
        self.visitors.stop(SOON).await;
        let mut wrongs = [self.writers.wrongs(), self.managers.wrongs(), self.managers.repeated()].concat();
        wrongs.extend(self.visitors.wrongs());
        let (told, writes) = (self.writers.told(), self.managers.writes());
        for counter in &self.counters {
            wrongs.extend(checker::counted(counter, &told[counter], 0, self.value(counter).await));
        }
        wrongs.extend(self.hits_wrongs().await);
        for name in [&self.counters[..], &self.managed, &hits::pages_and_site()].concat() {
            let value = self.value(&name).await;
            let behind = async || {
                let seen = self.listeners.seen().into_iter().filter(|seen| seen.name == name);
                seen.filter(|seen| seen.value() != Some(value)).count() as i64
            };
            until("every listener to see the last value", SOON, behind, |behind| behind == 0).await;
        }
        for counter in &self.managed {
            let (sights, last) = (self.listeners.sights(counter), self.value(counter).await);
            eprintln!("{counter}: {} writes, {} sights", writes[counter].len(), sights.len());
            let wrong = disorder(0, &writes[counter], &sights, last);
            wrongs.extend(wrong.map(|wrong| format!("{counter}: {wrong}")));
        }
        wrongs.extend(self.listeners.wrongs());
        wrongs.extend(self.listeners.set_backs().into_iter().map(|set_back| set_back.text));
        assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
    }

    /// What is wrong with the hits of the pages and of their site.
    async fn hits_wrongs(&self) -> Vec<String> {
        let (told, mut wrongs, mut of_pages) = (self.visitors.told(), Vec::new(), 0);
        for page in hits::pages() {
            let value = self.value(&page).await;
            of_pages += value;
            wrongs.extend(checker::counted(&page, &told[&page], 0, value));
        }
        let site = hits::site();
        wrongs.extend(checker::site_counted(&site, &told, of_pages, self.value(&site).await, false));
        eprintln!("{of_pages} hits");
        wrongs
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_process_killed_under_load_loses_nothing_and_shows_nothing_old() {
    let mut service = Service::start().await;
    for _ in 0..3 {
        service.write_on(60).await;
        service.origin.kill();
        service.origin.run().await;
    }
    service.write_on(60).await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_process_restarted_under_load_loses_nothing_and_shows_nothing_old() {
    let mut service = Service::start().await;
    for _ in 0..2 {
        service.write_on(60).await;
        service.origin.stop().await;
        service.origin.run().await;
    }
    service.write_on(60).await;
    service.end().await;
}
