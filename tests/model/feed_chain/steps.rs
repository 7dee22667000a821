//! The steps that can happen next. A step that is impossible at the moment does nothing.

use std::time::Duration;

use livecounter::store::{Claim, ClaimTerms, TOMBSTONE_LIFETIME};

use super::listener::{Listener, Stream};
use super::origin::{Origin, Stage};
use super::{Broken, FeedChain, Item};
use crate::chain::{INTERVAL, LEASE, LISTENERS, Luck, ORIGINS, PROXIES};
use crate::pushpin::{Proxy, Session};
use crate::spec::{Outcome, Time, millis};

/// How long an item may be on its way to a proxy: a store still knows a deleted feed for as long.
const LATEST: Time = millis(TOMBSTONE_LIFETIME);
/// How long an origin waits for the proxies, and after a claim that was not answered.
const GIVE_UP: Time = 4000;
const STORE_PAUSE: Time = 500;

/// One step. Numbers are indices, modulo the number of elements.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Tick(Time),
    /// A client appends so many events through an origin. With `false`, the store's answer is lost, and the origin announces nothing.
    Append(usize, usize, bool),
    /// The same for a deletion.
    Delete(usize, bool),
    /// An origin claims. With `false`, the store's answer is lost.
    Claim(usize, bool),
    /// A delivery takes its next step, which ends in this way.
    Deliver(usize, usize, Luck),
    /// An origin begins to send the next item that waits for a proxy.
    Send(usize, usize),
    /// A request to a proxy ends in this way.
    Sent(usize, usize, Luck),
    /// An item that is still on its way to a proxy arrives or is lost.
    Arrive(usize, usize, bool),
    Expire(usize),
    Sweep(usize),
    Kill(usize),
    Start(usize),
    /// A proxy is killed and starts again with empty memory.
    KillProxy(usize),
    /// A client asks for a stream behind what it has seen, if it has seen something.
    Join(usize, usize),
    /// A listener's first answer arrives.
    Open(usize),
    Leave(usize),
    /// A client without a stream gets to know the newest event from the answer to its own drop, announced or not.
    Write(usize),
    Ask(usize),
    /// An origin answers a recovery. With `false`, the request fails.
    Answer(usize, bool),
    Recovered(usize),
    Copy,
    Restore,
}

impl FeedChain {
    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Tick(time) => self.tick(time),
            Step::Append(count, origin, answered) => self.change(Some(count), origin % ORIGINS, answered),
            Step::Delete(origin, answered) => self.change(None, origin % ORIGINS, answered),
            Step::Claim(origin, answered) => self.claim(origin % ORIGINS, answered),
            Step::Deliver(origin, which, luck) => self.deliver(origin % ORIGINS, which, luck),
            Step::Send(origin, proxy) => self.origins[origin % ORIGINS].queues[proxy % PROXIES].send(),
            Step::Sent(origin, proxy, luck) => self.sent(origin % ORIGINS, proxy % PROXIES, luck),
            Step::Arrive(proxy, which, arrives) => {
                let item = self.proxies[proxy % PROXIES].next_of_network(which);
                if let Some(item) = item.filter(|_| arrives) {
                    self.receive(proxy % PROXIES, item);
                }
            }
            Step::Expire(proxy) => {
                let items = self.proxies[proxy % PROXIES].expire(self.now);
                self.offer(proxy % PROXIES, &items);
            }
            Step::Sweep(origin) => {
                let overdue = self.feed.topic.due.is_some_and(|due| due <= self.now);
                self.origins[origin % ORIGINS].changed |= overdue;
            }
            Step::Kill(origin) => self.origins[origin % ORIGINS] = Origin::new(false),
            Step::Start(origin) => self.origins[origin % ORIGINS].up = true,
            Step::KillProxy(proxy) => {
                let proxy = proxy % PROXIES;
                self.proxies[proxy] = Proxy::start(self.broken != Broken::Links);
                self.listeners.iter_mut().filter(|listener| listener.is_on(proxy)).for_each(Listener::leave);
            }
            Step::Copy => self.copy = Some(self.feed.clone()),
            Step::Restore => {
                if let Some(copy) = &self.copy {
                    self.feed.restore(copy);
                    self.history += 1;
                }
            }
            other => self.listen(other),
        }
        self.check();
    }

    /// Time goes by. Nothing is on its way to a proxy for longer than a minute, which a deletion relies on.
    fn tick(&mut self, time: Time) {
        self.now += time;
        let now = self.now;
        self.proxies.iter_mut().for_each(|proxy| proxy.lose_older_than(now, LATEST));
        self.origins.iter_mut().for_each(|origin| origin.give_up(now, LATEST));
        self.feed.forget(now, true);
    }

    fn change(&mut self, appended: Option<usize>, origin: usize, answered: bool) {
        if self.origins[origin].up {
            let (moment, broken) = (self.moment(), self.broken);
            let outcome = match appended {
                Some(count) => self.feed.append(count, moment),
                None => self.feed.delete(moment, broken),
            };
            self.origins[origin].changed |= answered && outcome == Outcome::Changed(None);
        }
    }

    /// The origin claims, if it has something to claim. The store's answer reaches the origin only if `answered`.
    fn claim(&mut self, index: usize, answered: bool) {
        let (now, moment) = (self.now, self.moment());
        let origin = &mut self.origins[index];
        if !origin.up || !origin.changed || origin.rests > now {
            return;
        }
        let (interval, lease) = (Duration::from_millis(INTERVAL), Duration::from_millis(LEASE));
        let claim = self.feed.claim(ClaimTerms { interval, lease }, moment);
        origin.changed = false;
        match claim {
            _ if !answered => (origin.changed, origin.rests) = (true, now + STORE_PAUSE),
            Ok(item) => {
                origin.rests = now + INTERVAL;
                origin.begin(item);
            }
            Err(Claim::Wait(rest)) => (origin.changed, origin.rests) = (true, now + millis(rest)),
            Err(_) => {}
        }
    }

    fn deliver(&mut self, index: usize, which: usize, luck: Luck) {
        let (now, broken) = (self.now, self.broken);
        let origin = &mut self.origins[index];
        if origin.deliveries.is_empty() {
            return;
        }
        let which = which % origin.deliveries.len();
        let delivery = &mut origin.deliveries[which];
        match delivery.stage {
            Stage::Publish => origin.publish(which, now, broken),
            Stage::Accept(_) if delivery.accepted.iter().all(|accepted| *accepted) => {
                delivery.stage = Stage::Acknowledge;
            }
            Stage::Accept(since) if now < since + GIVE_UP => {}
            Stage::Accept(_) => drop(origin.deliveries.remove(which)),
            Stage::Acknowledge => {
                let id = origin.deliveries.remove(which).item.id;
                if !matches!(luck, Luck::Fails | Luck::Lost) {
                    self.feed.topic.acknowledge(id, now);
                }
                if broken == Broken::Tombstone {
                    self.feed.forget(Time::MAX, false);
                }
            }
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
            Luck::Fails | Luck::Unanswered | Luck::Late => origin.queues[proxy].failed(),
        }
    }

    fn receive(&mut self, proxy: usize, item: Item) {
        let items = self.proxies[proxy].take(item, self.now);
        self.offer(proxy, &items);
    }

    fn offer(&mut self, proxy: usize, items: &[Item]) {
        for item in items {
            self.wrongs.extend(self.listeners.iter_mut().flat_map(|listener| listener.offer(proxy, item)));
        }
    }

    /// The steps of listeners.
    fn listen(&mut self, step: Step) {
        let (Step::Join(index, _)
        | Step::Open(index)
        | Step::Leave(index)
        | Step::Write(index)
        | Step::Ask(index)
        | Step::Answer(index, _)
        | Step::Recovered(index)) = step
        else {
            return;
        };
        let up = self.origins.iter().any(|origin| origin.up);
        let listener = &mut self.listeners[index % LISTENERS];
        let is_away = matches!(listener.stream, Stream::Away);
        match step {
            Step::Join(_, proxy) if up && is_away => {
                let seen = listener.last_id().unwrap_or_else(|| self.feed.last_claimed());
                let answer = self.feed.behind(seen, self.broken);
                listener.stream = Stream::Joining { proxy: proxy % PROXIES, answer, seen };
            }
            Step::Open(_) => {
                if let Stream::Joining { proxy, answer, seen } = listener.stream.clone() {
                    listener.seen = Some(seen);
                    let session = Session::begin(proxy, &mut self.proxies[proxy], answer.published);
                    listener.stream = Stream::On(session);
                    self.wrongs.extend(listener.show(answer.content));
                }
            }
            Step::Leave(_) => listener.leave(),
            Step::Write(_) if is_away && self.feed.topic.exists() => listener.seen = Some(self.feed.newest()),
            Step::Ask(_) if self.broken != Broken::Silence => listener.ask(),
            Step::Answer(_, true) if up && listener.is_asking() => {
                if let Some(seen) = listener.seen {
                    listener.answer(self.feed.behind(seen, self.broken));
                }
            }
            Step::Recovered(_) => self.wrongs.extend(listener.recovered()),
            _ => {}
        }
    }
}
