//! Counts hits: one call of a script for all hits of a batch, and a second call if the connection breaks before the answer.

use std::collections::HashMap;

use redis::{Cmd, RedisResult, Value};

use super::batch::CHUNK;
use super::keys::KeyWriter;
use super::runner::ScriptRunner;
use super::write::visit_argument;
use super::{reply, script};
use crate::domain::{Epoch, Topic};
use crate::store::{
    Change, GRACE, Hit, HitWritten, LONGEST_LEASE, StoreError, Values, Visit, WriteError, Written, random,
};

/// The hits of one call, by page and site. All have the same lifetime.
#[derive(Default)]
struct HitCall<'a> {
    hits: &'a [Hit],
    pages: Vec<PageHits<'a>>,
    sites: Vec<&'a Topic>,
    has_visits: bool,
}

/// The hits of one page.
struct PageHits<'a> {
    page: &'a Topic,
    /// The index of the site.
    site: usize,
    /// The indices of the hits.
    hits: Vec<usize>,
}

impl<'a> HitCall<'a> {
    fn of(hits: &'a [Hit]) -> Self {
        let mut call =
            HitCall { hits, has_visits: hits.iter().any(|hit| hit.visit.is_some()), ..HitCall::default() };
        let (mut pages, mut sites) = (HashMap::with_capacity(hits.len()), HashMap::new());
        for (index, hit) in hits.iter().enumerate() {
            let page = *pages.entry(&hit.page).or_insert_with(|| {
                let site = *sites.entry(&hit.site).or_insert_with(|| {
                    call.sites.push(&hit.site);
                    call.sites.len() - 1
                });
                call.pages.push(PageHits { page: &hit.page, site, hits: Vec::new() });
                call.pages.len() - 1
            });
            call.pages[page].hits.push(index);
        }
        call
    }

    /// How many keys the call has.
    fn keys(&self) -> usize {
        let of_site = if self.has_visits { 3 } else { 1 };
        self.pages.len() + self.hits.len() + of_site * self.sites.len()
    }

    /// Appends the keys and arguments that `hits.lua` lists.
    fn append(&self, command: &mut Cmd, epoch: Epoch, days: u16) {
        let mut keys = KeyWriter::default();
        for page in &self.pages {
            keys.topic(command, page.page);
            page.hits.iter().for_each(|&hit| keys.record(command, page.page, &self.hits[hit].key));
        }
        for site in &self.sites {
            keys.topic(command, site);
            if self.has_visits {
                keys.visitors(command, site);
            }
        }
        command.arg(epoch.get()).arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64).arg("");
        let topics = self.pages.iter().map(|page| page.page).chain(self.sites.iter().copied());
        command.arg(
            topics.filter_map(|topic| char::from_digit(topic.outbox_part().into(), 10)).collect::<String>(),
        );
        command.arg(days).arg(self.pages.len()).arg(if self.has_visits { "v" } else { "" });
        command.arg(self.hits.first().map_or(0, |hit| hit.lifetime.as_millis() as u64));
        for page in &self.pages {
            command.arg(page.hits.len()).arg(page.site + 1);
            if self.has_visits {
                page.hits.iter().for_each(|&hit| append_visit(command, self.hits[hit].visit));
            }
        }
    }

    /// The answers to the hits, in their order.
    fn answers(&self, reply: Value) -> RedisResult<Vec<HitWritten>> {
        let items = reply::items(reply, self.pages.len() + self.sites.len() + 1)?;
        let (of_pages, rest) = items.split_at(self.pages.len());
        let (of_sites, repetitions) = rest.split_at(self.sites.len());
        let mut is_used = used(repetitions, self.hits.len())?.into_iter();
        let mut pages = Vec::with_capacity(self.pages.len());
        let mut counts = vec![0; self.sites.len()];
        for (page, item) in self.pages.iter().zip(of_pages) {
            let used: Vec<bool> = is_used.by_ref().take(page.hits.len()).collect();
            let written = written(item)?;
            let new = used.iter().filter(|is_used| !**is_used).count() as i64;
            counts[page.site] += if written.is_ok() { new } else { 0 };
            pages.push((page, Additions::behind(written, new), used));
        }
        let additions = |(site, count)| written(site).map(|written| Additions::behind(written, count));
        let mut sites: Vec<_> = of_sites.iter().zip(counts).map(additions).collect::<RedisResult<_>>()?;
        let mut answers: Vec<_> =
            self.hits.iter().map(|_| HitWritten::failed(WriteError::OutOfRange)).collect();
        for (page, mut additions, used) in pages {
            for (&hit, is_used) in page.hits.iter().zip(used) {
                answers[hit] = match (&additions.0, is_used) {
                    (Err(error), _) => HitWritten::failed(error.clone()),
                    (Ok(_), true) => additions.repetition(),
                    (Ok(_), false) => HitWritten { page: additions.next(), site: sites[page.site].next() },
                };
            }
        }
        Ok(answers)
    }
}

/// Additions of 1 to one topic in one step.
struct Additions(Result<Steps, WriteError>);

/// See [`Additions`].
struct Steps {
    /// The value behind the addition that was answered last.
    value: i64,
    /// The value behind all of them.
    last: i64,
    /// The next addition has created the topic.
    created: bool,
}

impl Additions {
    /// The additions behind which `written` is the state.
    fn behind(written: Result<Written, WriteError>, count: i64) -> Self {
        let steps = |Written { value, created, .. }| Steps { value: value - count, last: value, created };
        Additions(written.map(steps))
    }

    fn next(&mut self) -> Result<Written, WriteError> {
        let steps = self.0.as_mut().map_err(|error| error.clone())?;
        steps.value += 1;
        let created = std::mem::take(&mut steps.created);
        Ok(Written { value: steps.value, created, ..Written::default() })
    }

    /// The answer to a repetition.
    fn repetition(&self) -> HitWritten {
        let value = self.0.as_ref().map_or(0, |steps| steps.last);
        let known = |value| Ok(Written { value, replayed: true, ..Written::default() });
        HitWritten { page: known(value), site: known(0) }
    }
}

fn append_visit(command: &mut Cmd, visit: Option<Visit>) {
    match visit {
        Some(visit) => command.arg(visit_argument(visit)),
        None => command.arg(""),
    };
}

fn written(item: &Value) -> RedisResult<Result<Written, WriteError>> {
    reply::written(&Change::Add(1.into()), item)
}

/// For each hit of a call, in the order of the call, whether it is a repetition.
fn used(item: &[Value], count: usize) -> RedisResult<Vec<bool>> {
    let [Value::Array(numbers)] = item else { return Err(reply::unexpected()) };
    let mut used = vec![false; count];
    for number in numbers {
        let number: usize = reply::number(number)?;
        *number.checked_sub(1).and_then(|index| used.get_mut(index)).ok_or_else(reply::unexpected)? = true;
    }
    Ok(used)
}

/// Counts hits of the `store` that has this runner; the answers are in the order of `hits`.
pub(super) async fn hit(runner: &ScriptRunner, store: &dyn Values, hits: &[Hit]) -> Vec<HitWritten> {
    if !runner.topology.is_one() || hits.iter().any(|hit| hit.claim.is_some()) {
        return hit_by_writes(store, hits.iter()).await;
    }
    let mut answers = Vec::with_capacity(hits.len());
    // All hits of a call have one lifetime, and so have all hits of a process.
    let of_one_lifetime = hits.chunk_by(|one, next| one.lifetime == next.lifetime);
    for chunk in of_one_lifetime.flat_map(|hits| hits.chunks(CHUNK)) {
        answers.extend(count_chunk(runner, chunk).await);
    }
    // Of several hits that a page has refused together, it may count some.
    let is_refused = |answer: &HitWritten| matches!(answer.page, Err(WriteError::OutOfRange));
    if hits.len() > 1 && answers.iter().any(is_refused) {
        let (refused, places): (Vec<&Hit>, Vec<&mut HitWritten>) =
            hits.iter().zip(&mut answers).filter(|(_, answer)| is_refused(answer)).unzip();
        let again = hit_by_writes(store, refused.into_iter()).await;
        places.into_iter().zip(again).for_each(|(place, answer)| *place = answer);
    }
    answers
}

/// Counts hits by a change of each page and of each site, each with the key.
async fn hit_by_writes(store: &dyn Values, hits: impl Iterator<Item = &Hit>) -> Vec<HitWritten> {
    let mut written = store.write(hits.flat_map(Hit::as_writes).collect()).await.into_iter();
    let pairs = std::iter::from_fn(|| Some(HitWritten { page: written.next()?, site: written.next()? }));
    pairs.collect()
}

async fn count_chunk(runner: &ScriptRunner, hits: &[Hit]) -> Vec<HitWritten> {
    let error = match send(runner, hits).await {
        Ok(answers) => return answers,
        Err(error) => error,
    };
    // Redis may have counted the hits or not. They can be sent again, because the script does not count a hit twice.
    if script::is_cut(&error)
        && let Ok(mut answers) = send(runner, hits).await
    {
        for written in answers.iter_mut().flat_map(|answer| [&mut answer.page, &mut answer.site]).flatten() {
            // The keys were probably used by the first of the two calls: so the changes still have to be announced.
            written.replayed = false;
        }
        return answers;
    }
    let failed = HitWritten::failed(WriteError::Unavailable(StoreError::new(error)));
    vec![failed; hits.len()]
}

/// Calls `hits.lua`.
async fn send(runner: &ScriptRunner, hits: &[Hit]) -> RedisResult<Vec<HitWritten>> {
    let Some(first) = hits.first() else { return Ok(Vec::new()) };
    let (call, epoch, days) = (HitCall::of(hits), random::epoch()?, runner.retention.days);
    let append = |command: &mut Cmd| call.append(command, epoch, days);
    let reply = runner.run_change(first.page.bucket(), &script::HITS, call.keys(), append).await?;
    call.answers(reply)
}
