//! The check at the end of a scenario: everything has settled, and what the writers were told fits what the listeners were shown.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::checker::{self, Pace};
use crate::end::{End, Lost};
use crate::engine::Engine;
use crate::fault_proxy::Record;
use crate::hits;
use crate::order::disorder;
use crate::world::{World, until};
use crate::writers::Told;

/// What the writers of counters were told, and how much was counted.
struct Totals {
    acknowledged: usize,
    ambiguous: u64,
    counted: i64,
}

impl<E: Engine> World<E> {
    /// Ends the writing and checks everything. Faults must have ended before.
    pub(crate) async fn end(&mut self, end: End) {
        self.stop_writing().await;
        let emptied = self.settle(&end).await;
        // By now all late answers and items have arrived.
        let (told, visited) = (self.writers.told(), self.visitors.told());
        let mut wrongs = self.writers.wrongs();
        wrongs.extend(self.managers.wrongs());
        wrongs.extend(self.routes.wrongs(&self.base(), end.kept()).await);
        wrongs.extend(self.disorders(&end).await);
        wrongs.extend(self.hits_wrongs(&end, &visited).await);
        let (Totals { acknowledged, ambiguous, counted }, of_counters) =
            self.counters_wrongs(&end, &told).await;
        wrongs.extend(of_counters);
        wrongs.extend(self.unanswered(&end, &told, ambiguous));
        wrongs.extend(self.streams_wrongs(&end, told.into_iter().chain(visited).collect()));
        wrongs.extend(self.published_wrongs(&end));
        let stale = self.behind().await;
        assert!(wrongs.is_empty() && stale == 0, "{stale} listeners behind again; {}", wrongs.join("\n"));
        eprintln!(
            "{acknowledged} acknowledged, {counted} counted, {ambiguous} ambiguous; outbox empty {emptied:?} later"
        );
        eprintln!("{}", self.routes.summary());
    }

    /// Waits until every listener has the last of everything, and the outbox is empty. Returns how long the outbox had marks after every listener had
    /// the last value.
    async fn settle(&self, end: &End) -> Duration {
        let stopped = Instant::now();
        self.every_listener_sees_the_last_value(end.within).await;
        let started = Instant::now();
        let marks = async || self.marks().await;
        // The time is that of a lease, a sweep, and a delivery with its second purge.
        until("nothing left in the outbox", Duration::from_secs(15), marks, |marks| marks == 0).await;
        let emptied = started.elapsed();
        // Before that, an event that was answered may still have to be claimed.
        let left = end.within.saturating_sub(stopped.elapsed()).max(Duration::from_secs(3));
        let behind = async || self.routes.behind(&self.base()).await;
        until("every listener to have the last events and fields", left, behind, |behind| behind == 0).await;
        emptied
    }

    /// What is wrong with the counters that were only added to.
    async fn counters_wrongs(&self, end: &End, told: &HashMap<String, Told>) -> (Totals, Vec<String>) {
        let acknowledged: usize = told.values().map(|told| told.values.len()).sum();
        let ambiguous: u64 = told.values().map(|told| told.ambiguous).sum();
        let (mut counted, mut wrongs) = (0, Vec::new());
        for counter in &self.counters {
            let (first, last) = self.first_and_last(end, counter).await;
            counted += last - first;
            if !matches!(end.lost, Lost::Acknowledged { .. }) {
                let told = told.get(counter).cloned().unwrap_or_default();
                wrongs.extend(checker::counted(counter, &told, first, last));
            }
        }
        if let Lost::Acknowledged { least, most } = end.lost {
            wrongs.extend(checker::lost(acknowledged as i64, ambiguous as i64, counted, least, most));
        }
        (Totals { acknowledged, ambiguous, counted }, wrongs)
    }

    /// What is wrong with the streams of numbers. `told` is what the writers of counters and of pages were told.
    fn streams_wrongs(&self, end: &End, told: HashMap<String, Told>) -> Vec<String> {
        // A side that will lose, while two masters answer, and what was told and is lost, may show anything.
        let may_show_anything = match end.lost {
            Lost::Nothing => false,
            Lost::Unacknowledged => end.apart,
            Lost::Acknowledged { .. } => true,
        };
        if may_show_anything {
            return Vec::new();
        }
        let mut wrongs = self.listeners.wrongs();
        let set_backs = self.listeners.set_backs().into_iter();
        wrongs.extend(set_backs.filter_map(|it| checker::set_back(it, &told, end.lost, end.memories)));
        wrongs
    }

    /// What is wrong with what the origins published to the proxies.
    fn published_wrongs(&self, end: &End) -> Vec<String> {
        let (since, interval) = (self.began, self.interval);
        let pace = Pace { since, interval, late: end.late, memories: end.memories, apart: end.apart };
        let wrongs = |records: &[Record]| checker::published(records, &pace);
        self.controls.iter().flat_map(|control| control.records(wrongs)).collect()
    }

    /// Requests that were not answered, if no fault can be the reason.
    fn unanswered(&self, end: &End, told: &HashMap<String, Told>, ambiguous: u64) -> Vec<String> {
        let mut wrongs = Vec::new();
        if end.ambiguous {
            return wrongs;
        }
        if ambiguous > 0 {
            let reasons: Vec<_> = told.values().flat_map(|told| &told.reasons).collect();
            wrongs.push(format!(
                "{ambiguous} POSTs were not answered, though no fault was theirs: {reasons:?}"
            ));
        }
        let reasons = self.managers.reasons();
        if !reasons.is_empty() {
            wrongs.push(format!(
                "writes of managers were not answered, though no fault was theirs: {reasons:?}"
            ));
        }
        let unanswered = self.routes.unanswered();
        if unanswered > 0 {
            wrongs.push(format!("{unanswered} drops were not answered, though no fault was theirs"));
        }
        wrongs
    }

    /// The value at the start of the writers, and the present one.
    async fn first_and_last(&self, end: &End, name: &str) -> (i64, i64) {
        (end.from.get(name).copied().unwrap_or(0), self.value(name).await)
    }

    /// What is wrong with the hits of the pages and of their site.
    async fn hits_wrongs(&self, end: &End, told: &HashMap<String, Told>) -> Vec<String> {
        let mut wrongs = self.visitors.wrongs();
        let reasons: Vec<_> = told.values().flat_map(|told| &told.reasons).collect();
        if !reasons.is_empty() && !end.ambiguous {
            wrongs.push(format!("hits were not answered, though no fault was theirs: {reasons:?}"));
        }
        if matches!(end.lost, Lost::Acknowledged { .. }) {
            return wrongs;
        }
        let mut of_pages = 0;
        for page in hits::pages() {
            let (first, last) = self.first_and_last(end, &page).await;
            of_pages += last - first;
            wrongs.extend(checker::counted(
                &page,
                &told.get(&page).cloned().unwrap_or_default(),
                first,
                last,
            ));
        }
        let site = hits::site();
        let (first, last) = self.first_and_last(end, &site).await;
        // Where page and site are on different nodes, and one of them fails, a hit may count for one of the two alone.
        let may_differ = end.ambiguous && !self.redis.is_one_node();
        wrongs.extend(checker::site_counted(&site, told, of_pages, last - first, may_differ));
        let answered: usize = told.values().map(|told| told.values.len()).sum();
        eprintln!("{answered} hits acknowledged, {of_pages} counted, {} of the site", last - first);
        wrongs
    }

    /// What is wrong with the counters that were set and deleted.
    async fn disorders(&self, end: &End) -> Vec<String> {
        // Writes that were answered and are lost may have led to anything.
        if matches!(end.lost, Lost::Acknowledged { .. }) {
            return Vec::new();
        }
        let mut wrongs = self.managers.repeated();
        for (counter, writes) in self.managers.writes() {
            // Listeners may have seen what was lost.
            let sights = if end.lost == Lost::Nothing { self.listeners.sights(&counter) } else { Vec::new() };
            let (first, last) = self.first_and_last(end, &counter).await;
            let (count, seen) = (writes.len(), sights.len());
            wrongs.extend(disorder(first, &writes, &sights, last).map(|wrong| format!("{counter}: {wrong}")));
            eprintln!("{counter}: {count} writes and {seen} sights are in order");
        }
        wrongs
    }
}
