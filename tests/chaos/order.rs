//! Whether the writes of a counter can have happened one after the other, so that all answers and all that listeners saw come true.
//!
//! This is a search for a linearization, as Wing and Gong describe it ("Testing and verifying concurrent objects"): a write happens at one moment
//! between its request and its answer, or never if it was not answered.

use std::collections::HashSet;
use std::time::Instant;

/// How many writes without an answer the search takes one after the other, before an answered write or a sight.
const UNANSWERED_IN_A_ROW: u8 = 3;
/// The search gives up after so many steps, which is an error: a good record takes a few for each write.
const STEPS: usize = 1_000_000;

/// A change of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Add(i64),
    Set(i64),
    Delete,
}

impl Change {
    fn of(self, value: i64) -> i64 {
        match self {
            Change::Add(by) => value + by,
            Change::Set(value) => value,
            Change::Delete => 0,
        }
    }
}

/// A change as a writer knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) change: Change,
    /// The value of the counter right after the change, if it was answered.
    pub(crate) value: i64,
    pub(crate) began: Instant,
    /// When it was answered; `None` where it may or may not have happened.
    pub(crate) answered: Option<Instant>,
}

/// A value that a listener saw.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    /// The id of the event.
    pub(crate) id: String,
    pub(crate) value: i64,
    /// When the first listener saw it.
    pub(crate) at: Instant,
}

/// What is wrong with a counter that stood at `first` before these writes and stands at `last` now. The sights are in the order of their revisions.
pub(crate) fn disorder(first: i64, writes: &[Write], sights: &[Sight], last: i64) -> Option<String> {
    let (mut answered, unanswered): (Vec<_>, Vec<_>) =
        writes.iter().copied().partition(|write| write.answered.is_some());
    answered.sort_by_key(|write| write.began);
    // A later revision can have been seen earlier, by another listener.
    let mut deadlines: Vec<Option<Instant>> = vec![None; sights.len() + 1];
    for (at, sight) in sights.iter().enumerate().rev() {
        deadlines[at] = Some(deadlines[at + 1].map_or(sight.at, |next| next.min(sight.at)));
    }
    let search = Search { answered, unanswered, sights, deadlines, last };
    let mut farthest = None;
    // A good record seldom needs several unanswered writes in a row, and the search is short where few are allowed.
    for in_a_row in 0..=UNANSWERED_IN_A_ROW {
        match search.run(first, in_a_row) {
            Ok(()) => return None,
            Err(state) => farthest = Some(state),
        }
    }
    farthest.map(|state| search.describe(&state))
}

struct Search<'a> {
    /// In the order in which they began.
    answered: Vec<Write>,
    unanswered: Vec<Write>,
    sights: &'a [Sight],
    /// The time by which each sight, and all after it, must have come true.
    deadlines: Vec<Option<Instant>>,
    last: i64,
}

/// A beginning of a possible order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    /// All answered writes below this have happened.
    below: usize,
    /// The other answered writes that have happened.
    beyond: Vec<usize>,
    /// The unanswered writes that have happened.
    unanswered: Vec<usize>,
    /// How many of them have happened since the last answered write or sight.
    in_a_row: u8,
    /// How many sights have come true.
    seen: usize,
    value: i64,
}

impl Search<'_> {
    /// Returns the state that explains most, where none explains all.
    fn run(&self, first: i64, in_a_row: u8) -> Result<(), State> {
        let first = State {
            below: 0,
            beyond: Vec::new(),
            unanswered: Vec::new(),
            in_a_row: 0,
            seen: 0,
            value: first,
        };
        let mut stack = vec![self.look(first.clone())];
        let (mut known, mut farthest) = (HashSet::new(), first);
        while let Some(state) = stack.pop() {
            if self.explains_all(&state) {
                return Ok(());
            }
            if known.len() >= STEPS {
                break;
            }
            if !known.insert(state.clone()) {
                continue;
            }
            self.push_next(&state, in_a_row, &mut stack);
            let progress = |state: &State| state.below + state.beyond.len() + state.seen;
            if progress(&state) >= progress(&farthest) {
                farthest = state;
            }
        }
        Err(farthest)
    }

    fn explains_all(&self, state: &State) -> bool {
        state.below == self.answered.len() && state.seen == self.sights.len() && state.value == self.last
    }

    /// Takes the sights that the present value explains. It is never better to take one later.
    fn look(&self, mut state: State) -> State {
        while self.sights.get(state.seen).is_some_and(|sight| sight.value == state.value) {
            state.seen += 1;
            state.in_a_row = 0;
        }
        state
    }

    /// Pushes the states that can follow. The one to try first is the last.
    fn push_next(&self, state: &State, most_in_a_row: u8, stack: &mut Vec<State>) {
        // What has still to come true by this time must not be overtaken by a write that began later.
        let mut horizon = self.deadlines[state.seen];
        let mut open = Vec::new();
        for (at, write) in self.answered.iter().enumerate().skip(state.below) {
            if horizon.is_some_and(|horizon| write.began > horizon) {
                break;
            }
            if !state.beyond.contains(&at) {
                open.push(at);
                horizon = horizon.min(write.answered).or(write.answered);
            }
        }
        let may_be_next = |write: &Write| horizon.is_none_or(|horizon| write.began <= horizon);
        if state.in_a_row < most_in_a_row {
            for (at, write) in self.unanswered.iter().enumerate().rev() {
                if may_be_next(write) && !state.unanswered.contains(&at) {
                    let mut next = state.clone();
                    next.unanswered.push(at);
                    next.unanswered.sort_unstable();
                    next.in_a_row += 1;
                    next.value = write.change.of(state.value);
                    stack.push(self.look(next));
                }
            }
        }
        for at in open.into_iter().rev() {
            let write = &self.answered[at];
            if may_be_next(write) && write.change.of(state.value) == write.value {
                stack.push(self.look(state.with_answered(at, write.value)));
            }
        }
    }

    fn describe(&self, state: &State) -> String {
        let next: Vec<String> = (state.below..self.answered.len())
            .filter(|at| !state.beyond.contains(at))
            .take(6)
            .map(|at| format!("{:?} to {}", self.answered[at].change, self.answered[at].value))
            .collect();
        let sight = self.sights.get(state.seen).map(|sight| format!("{} {}", sight.id, sight.value));
        format!(
            "no order of the writes explains more than {} of {} answers and {} of {} sights: at {}, next are {next:?} and the sight \
             {sight:?}, with {} unanswered writes; the last value is {}",
            state.below + state.beyond.len(),
            self.answered.len(),
            state.seen,
            self.sights.len(),
            state.value,
            self.unanswered.len(),
            self.last
        )
    }
}

impl State {
    fn with_answered(&self, at: usize, value: i64) -> State {
        let mut next = State { value, in_a_row: 0, ..self.clone() };
        next.beyond.push(at);
        next.beyond.sort_unstable();
        while next.beyond.first() == Some(&next.below) {
            next.beyond.remove(0);
            next.below += 1;
        }
        next
    }
}

#[test]
fn the_search_for_an_order_sees_what_is_wrong() {
    use std::time::Duration;

    use Change::{Add, Delete, Set};

    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    // A write with its answer, and from when until when it was under way.
    let done =
        |change, value, from: u64, to: u64| Write { change, value, began: at(from), answered: Some(at(to)) };
    let lost = |change, from: u64| Write { change, value: 0, began: at(from), answered: None };
    let saw = |values: &[(i64, u64)]| -> Vec<Sight> {
        let sight = |&(value, ms): &(i64, u64)| Sight { id: format!("e-{ms}"), value, at: at(ms) };
        values.iter().map(sight).collect()
    };
    let wrong =
        |writes: &[Write], values: &[(i64, u64)], last| disorder(0, writes, &saw(values), last).is_some();
    let life = [done(Add(5), 5, 0, 10), done(Set(70), 70, 20, 30), done(Add(3), 73, 40, 50)];
    assert!(!wrong(&life, &[(0, 1), (5, 12), (70, 33), (73, 60)], 73));
    assert!(!wrong(&life, &[(73, 60)], 73), "conflated");
    assert!(wrong(&life, &[], 70), "not the last value");
    assert!(wrong(&life, &[(70, 33), (5, 60), (73, 70)], 73), "an older value behind a newer one");
    assert!(wrong(&life, &[(4, 60)], 73), "a value that no writes lead to");
    assert!(wrong(&life, &[(73, 35)], 73), "seen before it was written");
    let deleted = [&life[..], &[done(Delete, 0, 60, 70), done(Add(9), 9, 80, 90)]].concat();
    assert!(!wrong(&deleted, &[(73, 55), (0, 75), (9, 95)], 9));
    assert!(wrong(&deleted, &[(73, 55), (0, 75), (73, 85), (9, 95)], 9), "the deleted number again");
    assert!(wrong(&deleted, &[(73, 55), (0, 75)], 82), "it went on with the deleted number");
    assert!(wrong(&deleted, &[(73, 99)], 73), "the deletion is lost");
    let again = [&life[..], &[done(Add(1), 71, 60, 70)]].concat();
    assert!(wrong(&again, &[], 71), "set twice");
    // Writes at the same time can have happened in either order, but in one order for all.
    let flood = [done(Add(5), 5, 0, 10), done(Add(2), 7, 20, 60), done(Delete, 0, 20, 60)];
    assert!(!wrong(&flood, &[(5, 12), (7, 40), (0, 61)], 0));
    assert!(!wrong(&flood[..1], &[(5, 12)], 5) && wrong(&flood, &[(5, 12), (0, 40), (7, 61)], 7));
    let other = [done(Add(5), 5, 0, 10), done(Add(2), 2, 20, 60), done(Delete, 0, 20, 60)];
    assert!(!wrong(&other, &[(5, 12), (0, 40), (2, 61)], 2));
    assert!(wrong(&other, &[], 0), "the addition was answered as the one behind the deletion");
    // What was not answered may have happened, late too, but not before it began.
    for writes in [lost(Delete, 55), lost(Set(0), 55)] {
        let writes = [&life[..], &[writes, done(Add(8), 8, 60, 70)]].concat();
        assert!(!wrong(&writes, &[(73, 52), (0, 58), (8, 71)], 8));
        assert!(wrong(&writes, &[(73, 52), (0, 54), (8, 71)], 8), "seen before it began");
    }
    let writes = [&life[..], &[lost(Add(100), 5), lost(Set(44), 6)]].concat();
    for last in [73, 173, 44, 144] {
        assert!(!wrong(&writes, &[], last), "{last}");
    }
    assert!(wrong(&writes, &[], 273), "counted twice");
    // Many writes at the same time do not make the search long.
    let mut many: Vec<Write> = (0..2_000).map(|n| lost(Delete, n)).step_by(100).collect();
    many.extend((1..2_000).map(|n| done(Add(1), n as i64, n, n + 20)));
    assert!(!wrong(&many, &[(1_000, 1_015)], 0));
    assert!(wrong(&many, &[(1_001, 1_015), (1_000, 1_300)], 0));
}
