//! Group commit: the calls that wait while batches are under way to the store make up the next batch. The amounts for one topic
//! become one addition, and every caller still gets the value behind its own amount.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::batch_queue::{BatchQueue, Waiting, WorkerGuard, abandoned, lock};
use super::counted::Counted;
use crate::announcer::Announcer;
use crate::domain::{Amount, EventId, IdempotencyKey, LIMIT, Topic};
use crate::store::{
    Announcement, Body, Change, Once, Reading, Store, StoreError, Sum, Visit, Write, WriteError, Written,
};

type Reply<T> = oneshot::Sender<T>;

/// Puts waiting additions and reads into batches (see the module).
pub(super) struct Combiner {
    store: Arc<dyn Store>,
    announcer: Announcer,
    adds: Mutex<BatchQueue<AddsWaiting>>,
    reads: Mutex<BatchQueue<ReadsWaiting>>,
}

type ReadsWaiting = HashMap<Topic, Vec<Reply<Result<Reading, StoreError>>>>;

impl Waiting for ReadsWaiting {
    fn with_capacity(topics: usize) -> Self {
        HashMap::with_capacity(topics)
    }

    fn len(&self) -> usize {
        HashMap::len(self)
    }
}

#[derive(Default)]
struct AddsWaiting {
    by_topic: HashMap<Topic, Group>,
    /// Groups of one caller that must not be combined: the caller has an idempotency key, the topic's group is full, or the store
    /// has refused a combination that the caller was in, or the caller has a visit.
    alone: Vec<(Topic, Option<Once>, Group)>,
}

impl Waiting for AddsWaiting {
    fn with_capacity(topics: usize) -> Self {
        AddsWaiting { by_topic: HashMap::with_capacity(topics), alone: Vec::new() }
    }

    fn len(&self) -> usize {
        self.by_topic.len() + self.alone.len()
    }
}

impl AddsWaiting {
    /// Adds a call, and returns where its answer will come.
    fn push(
        &mut self,
        topic: Topic,
        amount: i64,
        once: Option<Once>,
        visit: Option<Visit>,
        may_create: bool,
    ) -> oneshot::Receiver<Result<Counted, WriteError>> {
        let (answer, counted) = oneshot::channel();
        let caller = (amount, answer);
        if once.is_some() || visit.is_some() {
            self.alone.push((topic, once, Group { visit, ..Group::of_one(caller, may_create) }));
            return counted;
        }
        match self.by_topic.entry(topic) {
            Entry::Vacant(vacant) => _ = vacant.insert(Group::of_one(caller, may_create)),
            Entry::Occupied(mut group) if group.get().has_room_for(amount) => {
                group.get_mut().push(caller, may_create);
            }
            Entry::Occupied(full) => {
                self.alone.push((full.key().clone(), None, Group::of_one(caller, may_create)));
            }
        }
        counted
    }
}

/// An amount, and the caller that waits for the value behind it.
type Caller = (i64, Reply<Result<Counted, WriteError>>);

/// The amounts for one topic, in the order of the calls.
#[derive(Default)]
struct Group {
    sum: i64,
    lowest: i64,
    highest: i64,
    /// Whether at least one caller may create the topic. If so, the addition of all callers creates it.
    may_create: bool,
    /// The visit of a group of one caller.
    visit: Option<Visit>,
    callers: SmallVec<[Caller; 1]>,
}

impl Group {
    /// Whether the running total with this amount stays within the range that a store can check exactly.
    fn has_room_for(&self, amount: i64) -> bool {
        self.sum.checked_add(amount).is_some_and(|sum| (-LIMIT..=LIMIT).contains(&sum))
    }

    fn of_one(caller: Caller, may_create: bool) -> Self {
        let mut group = Group::default();
        group.push(caller, may_create);
        group
    }

    fn push(&mut self, caller: Caller, may_create: bool) {
        self.sum += caller.0;
        self.may_create |= may_create;
        if self.callers.is_empty() {
            (self.lowest, self.highest) = (self.sum, self.sum);
        } else {
            (self.lowest, self.highest) = (self.lowest.min(self.sum), self.highest.max(self.sum));
        }
        self.callers.push(caller);
    }

    fn addition(&self, topic: Topic, claim: Option<Duration>, once: Option<Once>) -> Write {
        let changes = u32::try_from(self.callers.len()).unwrap_or(u32::MAX);
        let Group { sum: total, lowest, highest, may_create, visit, .. } = *self;
        let change = Change::Add(Sum { total, lowest, highest, changes });
        Write { topic, change, claim, once, may_create, visit, at: None, ends: None }
    }
}

impl Combiner {
    pub(super) fn new(store: Arc<dyn Store>, announcer: Announcer) -> Self {
        Combiner { store, announcer, adds: Mutex::default(), reads: Mutex::default() }
    }

    pub(super) async fn add(
        self: &Arc<Self>,
        topic: Topic,
        amount: Amount,
        key: Option<IdempotencyKey>,
        may_create: bool,
    ) -> Result<Counted, WriteError> {
        let counted = {
            let mut queue = lock(&self.adds);
            let counted = queue.waiting.push(topic, amount.get(), key.map(Once::from), None, may_create);
            self.start_adding(&mut queue);
            counted
        };
        counted.await.unwrap_or_else(|_| Err(WriteError::Unavailable(abandoned())))
    }

    /// Adds 1 to a page and to its site. Both additions go to the store in the same batch, the page first. The visit is counted with the addition to
    /// the site.
    pub(super) async fn add_to_both(
        self: &Arc<Self>,
        [page, site]: [Topic; 2],
        visit: Option<Visit>,
    ) -> [Result<Counted, WriteError>; 2] {
        let answers = {
            let mut queue = lock(&self.adds);
            let answers = [
                queue.waiting.push(page, 1, None, None, true),
                queue.waiting.push(site, 1, None, visit, true),
            ];
            self.start_adding(&mut queue);
            answers
        };
        let [page, site] = answers.map(|answer| async {
            answer.await.unwrap_or_else(|_| Err(WriteError::Unavailable(abandoned())))
        });
        [page.await, site.await]
    }

    /// Counts a call, and starts one more worker for the additions that wait, if one is needed.
    fn start_adding(self: &Arc<Self>, queue: &mut BatchQueue<AddsWaiting>) {
        if queue.count_call() {
            tokio::spawn(Arc::clone(self).run_adds());
        }
    }

    pub(super) async fn read(self: &Arc<Self>, topic: Topic) -> Result<Reading, StoreError> {
        let (answer, reading) = oneshot::channel();
        {
            let mut queue = lock(&self.reads);
            queue.waiting.entry(topic).or_default().push(answer);
            if queue.count_call() {
                tokio::spawn(Arc::clone(self).run_reads());
            }
        }
        reading.await.unwrap_or_else(|_| Err(abandoned()))
    }

    async fn run_adds(self: Arc<Self>) {
        let mut guard = WorkerGuard::on(&self.adds);
        while let Some(waiting) = guard.next().await {
            let claim = self.announcer.claim_at_once();
            let together = waiting.by_topic.into_iter().map(|(topic, group)| (topic, None, group));
            let (adds, groups): (Vec<Write>, Vec<(Topic, Group)>) = together
                .chain(waiting.alone)
                .map(|(topic, once, group)| (group.addition(topic.clone(), claim, once), (topic, group)))
                .unzip();
            let answers = self.store.write(adds).await;
            let settle = |((topic, group), answer)| self.settle(topic, group, answer);
            let (mut known, mut created) = (Vec::with_capacity(groups.len()), Vec::new());
            for (topic, is_new) in groups.into_iter().zip(answers).filter_map(settle) {
                if is_new { created.push(topic) } else { known.push(topic) }
            }
            self.announcer.changed(known);
            self.announcer.created(created);
        }
    }

    async fn run_reads(self: Arc<Self>) {
        let mut guard = WorkerGuard::on(&self.reads);
        while let Some(waiting) = guard.next().await {
            let (topics, callers): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
            for (callers, answer) in callers.into_iter().zip(self.store.read(topics).await) {
                for caller in callers {
                    let _ = caller.send(answer.clone()); // a caller that has gone needs no answer
                }
            }
        }
    }

    /// Gives every caller its own value. Returns the topic if it must still be announced, and whether the addition has created it.
    fn settle(
        &self,
        topic: Topic,
        group: Group,
        answer: Result<Written, WriteError>,
    ) -> Option<(Topic, bool)> {
        match answer {
            Ok(added) => {
                let Written { value, created, replayed, claimed, .. } = added;
                let is_claimed = claimed.is_some();
                if let Some(claimed) = claimed {
                    self.announcer.announce(topic.clone(), every_value(&claimed, &group));
                }
                let mut counted = Counted { value: value - group.sum, created, replayed };
                for (amount, caller) in group.callers {
                    counted.value += amount;
                    let _ = caller.send(Ok(counted)); // a caller that has gone needs no answer
                    counted.created = false;
                }
                (!is_claimed && !replayed).then_some((topic, created))
            }
            Err(WriteError::OutOfRange) if group.callers.len() > 1 => {
                // Some of the amounts may fit, so each is sent on its own, in their order. The calling worker takes them from the
                // queue in its next batch.
                let may_create = group.may_create;
                let alone = group
                    .callers
                    .into_iter()
                    .map(|caller| (topic.clone(), None, Group::of_one(caller, may_create)));
                lock(&self.adds).waiting.alone.extend(alone);
                None
            }
            Err(error) => {
                for (_, caller) in group.callers {
                    let _ = caller.send(Err(error.clone()));
                }
                // After some errors it is unknown whether the store has counted the addition. If so, the topic has a mark, and a
                // sweep announces it. To remember these topics would take memory while the store is away, and time when it is back.
                None
            }
        }
    }
}

/// The announcements of all values of the group up to `last`, for the setting that publishes every value.
fn every_value(last: &Announcement, group: &Group) -> Vec<Announcement> {
    let mut id = EventId { revision: last.id.revision - group.callers.len() as u64, ..last.id };
    let mut value = last.value() - group.sum;
    let mut prev = last.prev;
    let step = |(amount, _): &(i64, _)| {
        value += amount;
        id.revision += 1;
        let announcement = Announcement { body: Body::Number(value), id, prev };
        prev = id;
        announcement
    };
    group.callers.iter().map(step).collect()
}
