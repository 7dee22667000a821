//! Additions of ones to counters that have the direct form: one command each, in one pipeline, without a script. `direct.lua` says what
//! that form is. This process need not be right about which counters have it: a command for another one changes no value, and says so.

use std::iter;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use redis::{Cmd, Pipeline, RedisResult, Value};

use super::keys::KeyWriter;
use super::reply;
use super::topology::Topology;
use crate::domain::Topic;

/// How far beyond the value of a counter its key is.
const ZERO: i64 = 1 << 40;
/// A counter gets the direct form if its value is at most so far from 0.
const FARTHEST: i64 = ZERO / 2;

const LINES: usize = 4096;
/// As many as are in one line of the processor's cache.
const PLACES: usize = 16;

/// The counters to which this process has added since their last acknowledgement: about the last 65,536. All stores of a process share them, since the
/// announcer's store acknowledges what the store of a worker adds to. They take 256 KiB of memory, from the first one on.
#[derive(Clone, Debug, Default)]
pub struct DirectCounters(Arc<OnceLock<Table>>);

/// What a process takes a counter for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It has a mark, and gets the direct form with the next addition.
    Marked,
    /// It has the direct form.
    Direct,
}

#[derive(Debug)]
struct Table {
    lines: Box<[Line]>,
    /// Where the next counter goes whose line is full.
    turn: AtomicUsize,
}

/// Counters by their hashes; 0 where there is none. The last bit, which the number of the line has already, is 1 for the direct form.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU32; PLACES]);

impl DirectCounters {
    /// The form of a counter as far as is known.
    pub(super) fn form(&self, topic: &Topic) -> Option<Form> {
        let place = self.0.get()?.place(topic.hash32())?;
        Some(if place.load(Ordering::Relaxed) & 1 == 1 { Form::Direct } else { Form::Marked })
    }

    /// Notes the form of a topic; `None` forgets the topic.
    pub(super) fn note(&self, topic: &Topic, form: Option<Form>) {
        let hash = topic.hash32();
        let entry = match form {
            None => 0,
            Some(Form::Marked) => hash & !1,
            Some(Form::Direct) => hash | 1,
        };
        let Some(table) = self.0.get() else {
            if form.is_some() {
                self.0.get_or_init(Table::default);
                self.note(topic, form);
            }
            return;
        };
        if let Some(place) = table.place(hash) {
            place.store(entry, Ordering::Relaxed);
        } else if entry != 0 {
            let line = &table.line(hash).0;
            let free = line.iter().find(|place| place.load(Ordering::Relaxed) == 0);
            let place = free.unwrap_or_else(|| &line[table.turn.fetch_add(1, Ordering::Relaxed) % PLACES]);
            place.store(entry, Ordering::Relaxed);
        }
    }
}

impl Default for Table {
    fn default() -> Self {
        Table { lines: iter::repeat_with(Line::default).take(LINES).collect(), turn: AtomicUsize::new(0) }
    }
}

impl Table {
    fn line(&self, hash: u32) -> &Line {
        &self.lines[hash as usize % LINES]
    }

    fn place(&self, hash: u32) -> Option<&AtomicU32> {
        let is_of = |place: &&AtomicU32| {
            let entry = place.load(Ordering::Relaxed);
            entry != 0 && (entry ^ hash) & !1 == 0
        };
        self.line(hash).0.iter().find(is_of)
    }
}

/// Adds to counters. Returns for each of them the value behind the addition; `None` if it had not the direct form, so that nothing was counted; or the error
/// with which Redis has refused the command, or with which all of them have failed.
pub(super) async fn add<'a>(
    topology: &Topology,
    additions: impl ExactSizeIterator<Item = (&'a Topic, i64)>,
) -> Vec<RedisResult<Option<i64>>> {
    let count = additions.len();
    let mut pipeline = Pipeline::with_capacity(count);
    let mut keys = KeyWriter::default();
    for (topic, sum) in additions {
        let mut command = Cmd::with_capacity(3, 64);
        command.arg(if sum == 1 { "INCR" } else { "INCRBY" });
        keys.number(&mut command, topic);
        if sum != 1 {
            command.arg(sum);
        }
        pipeline.add_command(command);
    }
    match topology.send_all(&pipeline).await {
        Ok(answers) => answers.into_iter().map(value_of).collect(),
        Err(error) => vec![Err(error); count],
    }
}

fn value_of(answer: Value) -> RedisResult<Option<i64>> {
    match answer {
        Value::Int(number) => Ok((number >= ZERO - FARTHEST).then_some(number - ZERO)),
        // Another program has written to the key, or the user may not call INCRBY: the script counts without the key.
        Value::ServerError(error) if matches!(error.code(), "WRONGTYPE" | "ERR" | "NOPERM") => Ok(None),
        Value::ServerError(error) => Err(error.into()),
        _ => Err(reply::unexpected()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(id: u32) -> Topic {
        format!("counter-{id}").parse().expect("a topic")
    }

    #[test]
    fn the_form_of_a_counter_is_known_until_it_is_forgotten() {
        let counters = DirectCounters::default();
        counters.note(&topic(1), None);
        assert!(counters.0.get().is_none(), "no memory is taken for nothing");
        let forms = [Some(Form::Marked), Some(Form::Direct), Some(Form::Marked), None, Some(Form::Direct)];
        for form in forms {
            counters.note(&topic(1), form);
            assert_eq!((counters.form(&topic(1)), counters.form(&topic(2))), (form, None));
        }
    }

    #[test]
    fn ten_thousand_counters_are_known_at_once() {
        let counters = DirectCounters::default();
        for id in 0..10_000 {
            counters.note(&topic(id), Some(if id % 2 == 0 { Form::Marked } else { Form::Direct }));
        }
        let direct = (0..10_000).filter(|&id| counters.form(&topic(id)) == Some(Form::Direct)).count();
        let marked = (0..10_000).filter(|&id| counters.form(&topic(id)) == Some(Form::Marked)).count();
        assert_eq!((direct, marked), (5_000, 5_000));
    }

    #[test]
    fn more_counters_than_there_is_room_for_take_the_places_of_others() {
        let counters = DirectCounters::default();
        for id in 0..200_000 {
            counters.note(&topic(id), Some(Form::Direct));
            assert_eq!(counters.form(&topic(id)), Some(Form::Direct));
        }
        let known = (0..200_000).filter(|&id| counters.form(&topic(id)).is_some()).count();
        assert!((60_000..=LINES * PLACES).contains(&known), "{known}");
    }
}
