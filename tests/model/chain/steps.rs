//! What can happen next. A step that makes no sense at the moment does nothing.

use super::origin::Origin;
use super::proxy::{Asking, Listener, Proxy, Session};
use super::{Broken, Chain, Item, LISTENERS, ORIGINS, PROXIES, SECOND_PURGE, Shown};
use crate::spec::Time;

/// How long a fetch may take: the second purge relies on it.
const FETCH: Time = SECOND_PURGE;

/// One step. Numbers are indices, taken modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Tick(Time),
    /// Adds by way of an origin; `false`: its answer is lost, and the origin announces nothing.
    Add(i64, usize, bool),
    /// `false`: the answer is lost.
    Claim(usize, bool),
    /// A delivery goes on, in this way.
    Deliver(usize, usize, Luck),
    /// What waits for a proxy goes out.
    Send(usize, usize),
    /// What is out to a proxy ends, in this way.
    Sent(usize, usize, Luck),
    /// What is still on its way to a proxy arrives, or never does.
    Arrive(usize, usize, bool),
    Expire(usize),
    Sweep(usize),
    Kill(usize),
    Start(usize),
    /// A proxy is killed and comes back without memory.
    KillProxy(usize),
    Join(usize, usize),
    /// What a listener was answered arrives.
    Open(usize),
    Leave(usize),
    Ask(usize),
    /// An origin answers a recovery; `false`: it fails.
    Answer(usize, bool),
    Recovered(usize),
    /// A reader through the cache: an origin answers, and the answer arrives.
    Read,
    Fill(usize),
    Copy,
    Restore,
}

/// How something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Luck {
    Well,
    /// Nothing was done, and that is known.
    Fails,
    /// Nothing was done, but it was answered well.
    Lost,
    /// It was done, but not answered.
    Unanswered,
    /// It will be done later, and is not answered.
    Late,
    /// It is done, and later once more.
    Twice,
}

impl Chain {
    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Tick(time) => self.now += time,
            Step::Add(amount, origin, answered) => self.add(amount, origin % ORIGINS, answered),
            Step::Claim(origin, answered) => self.claim(origin % ORIGINS, answered),
            Step::Deliver(origin, which, luck) => self.deliver(origin % ORIGINS, which, luck),
            Step::Send(origin, proxy) => self.origins[origin % ORIGINS].lanes[proxy % PROXIES].send(),
            Step::Sent(origin, proxy, luck) => self.sent(origin % ORIGINS, proxy % PROXIES, luck),
            Step::Arrive(proxy, which, arrives) => self.arrive(proxy % PROXIES, which, arrives),
            Step::Expire(proxy) => {
                let items = self.proxies[proxy % PROXIES].expire(self.now);
                self.offer(proxy % PROXIES, &items);
            }
            Step::Sweep(origin) => {
                let overdue = self.topic.due.is_some_and(|due| due <= self.now);
                self.origins[origin % ORIGINS].changed |= overdue;
            }
            Step::Kill(origin) => self.origins[origin % ORIGINS] = Origin { up: false, ..Origin::default() },
            Step::Start(origin) => self.origins[origin % ORIGINS].up = true,
            Step::KillProxy(proxy) => self.kill_proxy(proxy % PROXIES),
            Step::Read => {
                if self.cache.is_none() && self.is_up() {
                    self.fills.push((self.answer(), self.now));
                }
            }
            Step::Fill(which) => {
                if !self.fills.is_empty() {
                    let (answer, since) = self.fills.remove(which % self.fills.len());
                    self.fill(answer, since);
                }
            }
            Step::Copy => self.copy = Some(self.topic.clone()),
            Step::Restore => self.restore(),
            other => self.listen(other),
        }
        self.check();
    }

    fn is_up(&self) -> bool {
        self.origins.iter().any(|origin| origin.up)
    }

    fn add(&mut self, amount: i64, origin: usize, answered: bool) {
        if self.origins[origin].up {
            let moment = self.moment();
            let added = self.topic.add(&[amount], None, moment);
            self.origins[origin].changed |= answered && added.is_some();
        }
    }

    fn sent(&mut self, index: usize, proxy: usize, luck: Luck) {
        let Some(entry) = &self.origins[index].lanes[proxy].out else { return };
        let item = entry.item;
        match luck {
            Luck::Well | Luck::Unanswered | Luck::Twice => self.receive(proxy, item),
            Luck::Fails | Luck::Lost | Luck::Late => {}
        }
        if matches!(luck, Luck::Late | Luck::Twice) {
            self.proxies[proxy].network.push(item);
        }
        let origin = &mut self.origins[index];
        match luck {
            Luck::Well | Luck::Lost | Luck::Twice => origin.accepted(proxy),
            Luck::Fails => origin.lanes[proxy].failed(false),
            Luck::Unanswered | Luck::Late => origin.lanes[proxy].failed(true),
        }
    }

    fn arrive(&mut self, proxy: usize, which: usize, arrives: bool) {
        let count = self.proxies[proxy].network.len();
        if count > 0 {
            let item = self.proxies[proxy].network.remove(which % count);
            if arrives {
                self.receive(proxy, item);
            }
        }
    }

    fn receive(&mut self, proxy: usize, item: Item) {
        let items = self.proxies[proxy].take(item, self.now, self.broken);
        self.offer(proxy, &items);
    }

    fn offer(&mut self, proxy: usize, items: &[Item]) {
        for item in items {
            for listener in &mut self.listeners {
                let older = listener.session(proxy).and_then(|session| session.offer(*item, self.broken));
                self.wrongs.extend(older.and_then(|older| went_back(older, self.history)));
            }
        }
    }

    fn kill_proxy(&mut self, index: usize) {
        self.proxies[index] = Proxy::default();
        for listener in &mut self.listeners {
            let there = match listener {
                Listener::Away => false,
                Listener::Joining { proxy, .. } => *proxy == index,
                Listener::On(session) => session.proxy == index,
            };
            if there {
                *listener = Listener::Away;
            }
        }
    }

    /// An answer reaches the cache, unless it has taken longer than any fetch may.
    fn fill(&mut self, answer: super::Answer, since: Time) {
        if self.now <= since + FETCH {
            self.cache = Some(answer);
        }
    }

    /// What listeners do and are told.
    fn listen(&mut self, step: Step) {
        let (up, now, broken) = (self.is_up(), self.now, self.broken);
        let (answer, cached, id) = (self.answer(), self.cache, self.topic.reading().id);
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
                let (answer, kept) = cached.map_or((answer, true), |cached| (cached, false));
                *listener = Listener::Joining { proxy: proxy % PROXIES, answer, since: now, kept };
            }
            (Step::Open(_), &mut Listener::Joining { proxy, answer, since, kept }) => {
                *listener = Listener::On(Session::begin(proxy, &mut self.proxies[proxy], answer, broken));
                if kept {
                    self.fill(answer, since);
                }
            }
            (Step::Leave(_), _) => *listener = Listener::Away,
            (Step::Ask(_), Listener::On(session)) if broken != Broken::Silence => session.ask(),
            (Step::Answer(_, answered), Listener::On(session)) => {
                if let (Asking::Sent, true, true) = (session.asking, answered, up) {
                    session.asking = Asking::Answered(answer);
                    // Whoever has got further than the store has: it has lost something, so others may have, too.
                    if id.epoch == session.prev.epoch
                        && id.revision < session.prev.revision
                        && let Some(origin) = self.origins.iter_mut().find(|origin| origin.up)
                    {
                        origin.changed = true;
                    }
                }
            }
            (Step::Recovered(_), Listener::On(session)) => {
                let older = session.recovered(broken).into_iter();
                self.wrongs.extend(older.filter_map(|older| went_back(older, self.history)));
            }
            _ => {}
        }
    }

    /// The store loses its memory, or gets back an older one; then the operator purges everything, when what was being
    /// fetched has arrived.
    fn restore(&mut self) {
        let Some(copy) = &self.copy else { return };
        self.topic = copy.clone();
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

/// Older after newer. Where the store has gone back itself, what was under way then is shown again in its order.
fn went_back((before, shown): (Shown, Shown), history: u64) -> Option<String> {
    (before.history == history && shown.history == history)
        .then(|| format!("{shown:?} was shown after {before:?}"))
}
