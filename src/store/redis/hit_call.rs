//! One call of `hits.lua`: its keys, its arguments and its answer.

use std::collections::HashMap;
use std::time::Duration;

use redis::{Cmd, RedisResult, Value};
use smallvec::SmallVec;

use super::hit_key_place::{KeyPlace, member, new_key};
use super::keys::KeyWriter;
use super::reply;
use super::write::visit_argument;
use crate::domain::{Epoch, Topic};
use crate::store::{Change, GRACE, Hit, HitKey, HitWritten, LONGEST_LEASE, Visit, WriteError, Written};

/// The hits of one call, by page and site. All have the same lifetime.
#[derive(Default)]
pub(super) struct HitCall<'a> {
    hits: &'a [Hit],
    /// The period of the new keys that are recorded together; `None` if there are none.
    period: Option<&'a str>,
    pages: Vec<PageHits<'a>>,
    sites: Vec<&'a Topic>,
    has_visits: bool,
}

/// The hits of one page.
struct PageHits<'a> {
    page: &'a Topic,
    /// The index of the site.
    site: usize,
    /// The indices of the hits, those with a new key of the call's period first.
    hits: SmallVec<[usize; 2]>,
    /// How many have a new key of the call's period.
    new: usize,
}

impl<'a> HitCall<'a> {
    /// The call for these hits. If they are sent `again`, Redis may have recorded some of the new keys, so each is recorded alone.
    pub(super) fn of(hits: &'a [Hit], again: bool) -> Self {
        let period = hits.iter().filter(|_| !again).find_map(|hit| Some(new_key(hit)?.0));
        let has_visits = hits.iter().any(|hit| hit.visit.is_some());
        let mut call = HitCall { hits, period, has_visits, ..HitCall::default() };
        let (mut pages, mut sites) = (HashMap::with_capacity(hits.len()), HashMap::new());
        for (index, hit) in hits.iter().enumerate() {
            let page = *pages.entry(&hit.page).or_insert_with(|| {
                let site = *sites.entry(&hit.site).or_insert_with(|| {
                    call.sites.push(&hit.site);
                    call.sites.len() - 1
                });
                call.pages.push(PageHits { page: &hit.page, site, hits: SmallVec::new(), new: 0 });
                call.pages.len() - 1
            });
            let is_new = call.is_new(hit);
            let page = &mut call.pages[page];
            match is_new {
                true => {
                    page.hits.insert(page.new, index);
                    page.new += 1;
                }
                false => page.hits.push(index),
            }
        }
        call
    }

    /// Whether the hit has a new key that is recorded together with others.
    fn is_new(&self, hit: &Hit) -> bool {
        self.period.is_some() && self.period == new_key(hit).map(|(period, _)| period)
    }

    /// How many keys the call has.
    pub(super) fn keys(&self) -> usize {
        let of_hits = |page: &PageHits<'_>| {
            let others = page.hits[page.new..].iter();
            1 + others.map(|&hit| KeyPlace::of(&self.hits[hit]).keys()).sum::<usize>()
        };
        let of_site = if self.has_visits { 3 } else { 1 };
        usize::from(self.period.is_some())
            + self.pages.iter().map(of_hits).sum::<usize>()
            + of_site * self.sites.len()
    }

    /// Appends the keys and arguments that `hits.lua` lists.
    pub(super) fn append(&self, command: &mut Cmd, epoch: Epoch, days: u16) {
        self.append_keys(command);
        command.arg(epoch.get()).arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64).arg("");
        let topics = self.pages.iter().map(|page| page.page).chain(self.sites.iter().copied());
        command.arg(
            topics.filter_map(|topic| char::from_digit(topic.outbox_part().into(), 10)).collect::<String>(),
        );
        command.arg(days).arg(self.pages.len()).arg(self.kind());
        let lifetime = self.hits.first().map_or(Duration::ZERO, |hit| hit.lifetime);
        let set_lifetime = lifetime + HitKey::period(lifetime);
        command.arg(lifetime.as_millis() as u64).arg(set_lifetime.as_millis() as u64);
        command.arg(self.pages.iter().map(|page| page.new).sum::<usize>());
        let numbers = |page: &PageHits<'_>| [page.new, page.hits.len() - page.new, page.site + 1];
        // None is greater than the number of hits in a chunk.
        let numbers = self.pages.iter().flat_map(numbers).flat_map(|number| (number as u16).to_be_bytes());
        command.arg(numbers.collect::<Vec<u8>>());
        self.append_places(command);
    }

    /// Which arguments the call has besides new keys.
    fn kind(&self) -> &'static str {
        let has_others = self.pages.iter().any(|page| page.new < page.hits.len());
        match (self.has_visits, has_others) {
            (true, _) => "v",
            (false, true) => "o",
            (false, false) => "",
        }
    }

    fn append_keys(&self, command: &mut Cmd) {
        let mut keys = KeyWriter::default();
        if let Some(period) = self.period {
            keys.visitor_set(command, period);
        }
        for page in &self.pages {
            keys.topic(command, page.page);
            for hit in page.hits[page.new..].iter().map(|&hit| &self.hits[hit]) {
                let place = KeyPlace::of(hit);
                if let KeyPlace::Set(period, _) | KeyPlace::SetOrRecord(period, _) = place {
                    keys.visitor_set(command, period);
                }
                if let KeyPlace::Record | KeyPlace::SetOrRecord(..) = place {
                    keys.record(command, page.page, &hit.key);
                }
            }
        }
        for site in &self.sites {
            keys.topic(command, site);
            if self.has_visits {
                keys.visitors(command, site);
            }
        }
    }

    /// Appends where the keys are recorded, and the visits.
    fn append_places(&self, command: &mut Cmd) {
        let mut text = String::new();
        for page in &self.pages {
            for (_, rest) in page.hits[..page.new].iter().filter_map(|&hit| new_key(&self.hits[hit])) {
                command.arg(member(&mut text, "", rest, page.page));
            }
        }
        for page in &self.pages {
            for place in page.hits[page.new..].iter().map(|&hit| KeyPlace::of(&self.hits[hit])) {
                match place {
                    KeyPlace::Record => command.arg(""),
                    KeyPlace::Set(_, rest) => command.arg(member(&mut text, "s", rest, page.page)),
                    KeyPlace::SetOrRecord(_, rest) => command.arg(member(&mut text, "r", rest, page.page)),
                };
            }
            if self.has_visits {
                page.hits.iter().for_each(|&hit| append_visit(command, self.hits[hit].visit));
            }
        }
    }

    /// The answers to the hits, in their order.
    pub(super) fn answers(&self, reply: Value) -> RedisResult<Vec<HitWritten>> {
        let items = reply::items(reply, self.pages.len() + self.sites.len() + 1)?;
        let (of_pages, rest) = items.split_at(self.pages.len());
        let (of_sites, repetitions) = rest.split_at(self.sites.len());
        let used = used(repetitions, self.hits.len())?;
        let mut rest = &used[..];
        let mut pages = Vec::with_capacity(self.pages.len());
        let mut counts = vec![0; self.sites.len()];
        for (page, item) in self.pages.iter().zip(of_pages) {
            let (used, others) = rest.split_at(page.hits.len());
            rest = others;
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
            for (&hit, &is_used) in page.hits.iter().zip(used) {
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
