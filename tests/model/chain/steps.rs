//! The steps that can happen next. A step that is impossible at the moment does nothing.

use std::sync::Arc;

use livecounter::store::TOMBSTONE_LIFETIME;

use super::listener::{Listener, Stream};
use super::origin::Origin;
use super::truth::Truth;
use super::{Broken, Chain, Item, LISTENERS, ORIGINS, PROXIES, SECOND_PURGE, Shown};
use crate::payload::Payload;
use crate::pushpin::{Asking, Proxy};
use crate::spec::{Change, Outcome, Time, Topic, millis};

/// How long a fetch of the cache may take: the second purge relies on this.
const FETCH: Time = SECOND_PURGE;

/// How long an item may be on its way to a proxy: a store still knows a deleted topic for as long.
const LATEST: Time = millis(TOMBSTONE_LIFETIME);

/// One step. Numbers are indices, modulo the number of elements.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Tick(Time),
    /// A client adds through an origin. With `false`, the store's answer is lost, and the origin announces nothing.
    Add(i64, usize, bool),
    /// The same for a value that is set, for a merge, and for a deletion.
    Set(i64, usize, bool),
    Merge(Payload, usize, bool),
    Delete(usize, bool),
    /// An origin claims. With `false`, the store's answer is lost.
    Claim(usize, bool),
    /// A delivery takes its next step, which ends in this way.
    Deliver(usize, usize, Luck),
    /// An origin begins to send the item that waits for a proxy.
    Send(usize, usize),
    /// A request to a proxy ends in this way.
    Sent(usize, usize, Luck),
    /// An item that is still on its way to a proxy arrives or is lost.
    Arrive(usize, usize, bool),
    Expire(usize),
    Sweep(usize),
    /// A command that is still on its way reaches the store. With `false`, the store's answer is lost.
    Reach(usize, bool),
    Kill(usize),
    Start(usize),
    /// A proxy is killed and starts again with empty memory.
    KillProxy(usize),
    Join(usize, usize),
    /// A listener's first answer arrives.
    Open(usize),
    Leave(usize),
    Ask(usize),
    /// An origin answers a recovery. With `false`, the request fails.
    Answer(usize, bool),
    Recovered(usize),
    /// A client reads through the cache: an origin answers, and the answer arrives.
    Read,
    Fill(usize),
    Copy,
    Restore,
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Luck {
    Well,
    /// The receiver did nothing, and the sender knows.
    Fails,
    /// The receiver did nothing, but answered that it did.
    Lost,
    /// The receiver did it, but the sender gets no answer.
    Unanswered,
    /// The receiver will do it later, and the sender gets no answer.
    Late,
    /// The receiver does it now, and once more later.
    Twice,
}

impl Chain {
    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Tick(time) => self.tick(time),
            Step::Add(amount, origin, answered) => self.change(Change::Add(vec![amount]), origin, answered),
            Step::Set(value, origin, answered) => self.change(Change::Set(value), origin, answered),
            Step::Merge(payload, origin, answered) => {
                self.change(Change::Merge(payload.merge()), origin, answered);
            }
            Step::Delete(origin, answered) => self.change(Change::Delete, origin, answered),
            Step::Claim(origin, answered) => self.claim(origin % ORIGINS, answered),
            Step::Deliver(origin, which, luck) => self.deliver(origin % ORIGINS, which, luck),
            Step::Send(origin, proxy) => self.origins[origin % ORIGINS].queues[proxy % PROXIES].send(),
            Step::Sent(origin, proxy, luck) => self.sent(origin % ORIGINS, proxy % PROXIES, luck),
            Step::Arrive(proxy, which, arrives) => self.arrive(proxy % PROXIES, which, arrives),
            Step::Expire(proxy) => {
                let items = self.proxies[proxy % PROXIES].expire(self.now);
                self.offer(proxy % PROXIES, &items);
            }
            Step::Sweep(origin) => self.sweep(origin % ORIGINS),
            Step::Reach(which, answered) => self.reach(which, answered),
            Step::Kill(origin) => self.origins[origin % ORIGINS] = Origin { up: false, ..Origin::default() },
            Step::Start(origin) => self.origins[origin % ORIGINS].up = true,
            Step::KillProxy(proxy) => self.kill_proxy(proxy % PROXIES),
            Step::Read => {
                if self.cache.is_none() && self.is_up() && self.kind.is_public() {
                    self.fills.push((self.answer(), self.now));
                }
            }
            Step::Fill(which) => {
                if !self.fills.is_empty() {
                    let (answer, since) = self.fills.remove(which % self.fills.len());
                    self.fill(answer, since);
                }
            }
            Step::Copy => self.copy = Some((self.topic.clone(), self.truth.clone())),
            Step::Restore => self.restore(),
            other => self.listen(other),
        }
        self.check();
    }

    fn is_up(&self) -> bool {
        self.origins.iter().any(|origin| origin.up)
    }

    /// Time goes by. Nothing is on its way to a proxy for longer than a minute, which a deletion relies on.
    fn tick(&mut self, time: Time) {
        self.now += time;
        let now = self.now;
        for proxy in &mut self.proxies {
            proxy.lose_older_than(now, LATEST);
        }
        self.origins.iter_mut().for_each(|origin| origin.give_up(now, LATEST));
        self.topic.forget(now);
        if self.broken == Broken::Expiry && self.truth.is_over(now) {
            self.truth = Truth::default();
            self.topic = Topic { serial: self.topic.serial + 1, ..Topic::default() };
        }
    }

    fn change(&mut self, change: Change, origin: usize, answered: bool) {
        let origin = origin % ORIGINS;
        if self.origins[origin].up {
            let (moment, before) = (self.moment(), self.topic.clone());
            if self.topic.change(&change, None, moment) == Outcome::Changed(None) {
                self.truth.note(&change, self.now);
                self.origins[origin].changed |= answered;
                self.keep_what_was(&before, &change);
            }
        }
    }

    /// A fault of the store: an entity that is written after its deletion begins with what it had.
    fn keep_what_was(&mut self, before: &Topic, change: &Change) {
        let Change::Merge(merge) = change else { return };
        if before.exists() {
            return;
        }
        if self.broken == Broken::OldLife {
            self.topic.ends = self.topic.ends.or(before.ends);
        }
        let merged = before.document.as_ref().and_then(|document| document.merged(&merge.fields).ok());
        if let (Broken::Fields, Some(merged)) = (self.broken, merged) {
            self.topic.document = Some(Arc::new(merged));
        }
    }

    fn sent(&mut self, index: usize, proxy: usize, luck: Luck) {
        let Some(entry) = &self.origins[index].queues[proxy].out else { return };
        let item = entry.item.clone();
        if matches!(luck, Luck::Late | Luck::Twice) {
            self.proxies[proxy].network.push((item.clone(), self.now));
        }
        if matches!(luck, Luck::Well | Luck::Unanswered | Luck::Twice) {
            self.receive(proxy, item);
        }
        let origin = &mut self.origins[index];
        match luck {
            Luck::Well | Luck::Lost | Luck::Twice => origin.accepted(proxy),
            Luck::Fails => origin.queues[proxy].failed(false),
            Luck::Unanswered | Luck::Late => origin.queues[proxy].failed(true),
        }
    }

    fn arrive(&mut self, proxy: usize, which: usize, arrives: bool) {
        if let Some(item) = self.proxies[proxy].next_of_network(which)
            && arrives
        {
            self.receive(proxy, item);
        }
    }

    fn receive(&mut self, proxy: usize, item: Item) {
        let items = self.proxies[proxy].take(item, self.now);
        self.offer(proxy, &items);
    }

    fn offer(&mut self, proxy: usize, items: &[Item]) {
        for item in items {
            for listener in &mut self.listeners {
                let Some(stream) = listener.stream(proxy) else { continue };
                let older = stream.session.offer(item.clone()).and_then(|shown| stream.show(shown));
                self.wrongs.extend(older.and_then(|older| went_back(older, self.history)));
            }
        }
    }

    fn kill_proxy(&mut self, index: usize) {
        self.proxies[index] = Proxy::start(self.broken != Broken::PrevId);
        for listener in &mut self.listeners {
            let there = match listener {
                Listener::Away => false,
                Listener::Joining { proxy, .. } => *proxy == index,
                Listener::On(stream) => stream.session.proxy == index,
            };
            if there {
                *listener = Listener::Away;
            }
        }
    }

    /// An answer reaches the cache, unless it has taken longer than a fetch may take.
    fn fill(&mut self, answer: super::Answer, since: Time) {
        if self.now <= since + FETCH {
            self.cache = Some(answer);
        }
    }

    /// The steps of listeners.
    fn listen(&mut self, step: Step) {
        let (up, now, broken) = (self.is_up(), self.now, self.broken);
        let (answer, cached, id) = (self.answer(), self.cache.clone(), self.topic.reading().id);
        let (Step::Join(index, _)
        | Step::Open(index)
        | Step::Leave(index)
        | Step::Ask(index)
        | Step::Answer(index, _)
        | Step::Recovered(index)) = step
        else {
            return;
        };
        let listener = &mut self.listeners[index % LISTENERS];
        match (step, &mut *listener) {
            (Step::Join(_, proxy), Listener::Away) if cached.is_some() || up => {
                let keeps = self.kind.is_public();
                let (answer, kept) = cached.map_or((answer, keeps), |cached| (cached, false));
                *listener = Listener::Joining { proxy: proxy % PROXIES, answer, since: now, kept };
            }
            (Step::Open(_), Listener::Joining { proxy, answer, since, kept }) => {
                let (proxy, answer, since, kept) = (*proxy, answer.clone(), *since, *kept);
                *listener = Listener::On(Stream::begin(proxy, &mut self.proxies[proxy], answer.clone()));
                if kept {
                    self.fill(answer, since);
                }
            }
            (Step::Leave(_), _) => *listener = Listener::Away,
            (Step::Ask(_), Listener::On(Stream { session, .. })) if broken != Broken::Silence => {
                session.ask()
            }
            (Step::Answer(_, true), Listener::On(Stream { session, .. }))
                if up && matches!(session.asking, Asking::Sent) =>
            {
                session.asking = Asking::Answered(answer);
                // A listener with a later id than the store's shows that the store has lost data; other listeners may be affected, too.
                let has_lost = id.epoch == session.prev.epoch && id.revision < session.prev.revision;
                if let Some(origin) = self.origins.iter_mut().find(|origin| has_lost && origin.up) {
                    origin.changed = true;
                }
            }
            (Step::Recovered(_), Listener::On(stream)) => {
                let older = stream.session.recovered().into_iter().filter_map(|shown| stream.show(shown));
                self.wrongs.extend(older.filter_map(|older| went_back(older, self.history)));
            }
            _ => {}
        }
    }

    /// The store loses its data, or goes back to an older copy. Then the operator purges everything, as soon as the fetches that were under way
    /// have ended.
    fn restore(&mut self) {
        let Some((topic, truth)) = &self.copy else { return };
        (self.topic, self.truth) = (topic.clone(), truth.clone());
        self.history += 1;
        self.firsts.clear();
        self.cache = None;
        self.fills.clear();
        for listener in &mut self.listeners {
            if let Listener::Joining { kept, .. } = listener {
                *kept = false;
            }
        }
    }
}

/// Whether a listener saw an older value after a newer one. It may, where the store itself has gone back to an older copy.
fn went_back((before, shown): (Shown, Shown), history: u64) -> Option<String> {
    (before.history == history && shown.history == history)
        .then(|| format!("{shown:?} was shown after {before:?}"))
}
