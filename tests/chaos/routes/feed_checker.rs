//! What must be true of the events of a feed: each listener is shown each of them once, in order, or is told of a gap. If the store has lost nothing,
//! only a deletion is a gap.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::history::{Attempt, History, revision};

/// What a listener of a feed was shown, in the order of its stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeedStream {
    /// Whether the listener has asked for all events from the first one on.
    pub(crate) whole: bool,
    pub(crate) shown: Vec<Shown>,
}

/// One thing that a listener was shown. Ids are written `epoch-revision`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shown {
    Event {
        id: String,
        payload: Value,
    },
    /// Up to this id, events are missing.
    Gap {
        to: String,
        gap: Value,
    },
    /// The test has made the store lose data: what comes next may be older.
    Anew,
}

impl FeedStream {
    /// The id up to which the listener has been shown, or told of, all events.
    pub(crate) fn last(&self) -> Option<&str> {
        self.shown.iter().rev().find_map(|shown| match shown {
            Shown::Event { id, .. } | Shown::Gap { to: id, .. } => Some(id.as_str()),
            Shown::Anew => None,
        })
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.shown.iter().filter_map(|shown| match shown {
            Shown::Event { id, payload } => Some((id.as_str(), payload)),
            Shown::Gap { .. } | Shown::Anew => None,
        })
    }

    fn gaps(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.shown.iter().filter_map(|shown| match shown {
            Shown::Gap { to, gap } => Some((to.as_str(), gap)),
            Shown::Event { .. } | Shown::Anew => None,
        })
    }

    /// What is out of order. Every event has the next revision, so an event that is left out, shown twice or too early is seen. If `kept`, a gap begins
    /// at what was shown.
    fn disorder(&self, kept: bool) -> Vec<String> {
        let mut wrongs = Vec::new();
        // The revision that the listener has got to; `None` where any may follow.
        let mut at = self.whole.then_some(0);
        for shown in &self.shown {
            at = match shown {
                Shown::Anew => None,
                Shown::Gap { to, gap } => {
                    let from = gap["from"].as_str().and_then(|from| from.rsplit_once('@'));
                    let from = from.map(|(_, from)| revision(from));
                    if let Some(at) = at.filter(|at| kept && (from != Some(*at) || revision(to) <= *at)) {
                        wrongs.push(format!("{gap} was shown after revision {at}"));
                    }
                    Some(revision(to))
                }
                Shown::Event { id, payload } => {
                    let own = revision(id);
                    if let Some(at) = at.filter(|at| at + 1 != own) {
                        wrongs.push(format!("{id} ({payload}) was shown after revision {at}"));
                    }
                    Some(own)
                }
            };
        }
        wrongs
    }

    /// The revision of the last gap; 0 if there was none.
    fn told_up_to(&self) -> u64 {
        self.gaps().map(|(to, _)| revision(to)).max().unwrap_or(0)
    }
}

/// What is wrong with the streams of a feed, when all of them have the last event or deletion, which is `last`. If `kept`, the store has lost nothing that
/// was shown.
pub(crate) fn wrongs(history: &History, streams: &[FeedStream], last: u64, kept: bool) -> Vec<String> {
    let attempts = &history.attempts;
    let mut wrongs: Vec<String> = streams.iter().flat_map(|stream| stream.disorder(kept)).collect();
    if kept {
        wrongs.extend(deletion_wrongs(history, streams, last));
    }
    let mut by_id: HashMap<&str, &Value> = HashMap::new();
    let mut ids: HashMap<(&str, u64), &str> = HashMap::new();
    for (id, payload) in streams.iter().flat_map(FeedStream::events) {
        if *by_id.entry(id).or_insert(payload) != payload {
            wrongs.push(format!("{id} was shown as {payload} and as {}", by_id[id]));
        }
        let (Some(writer), Some(number)) = (payload["by"].as_str(), payload["n"].as_u64()) else {
            wrongs.push(format!("{id} was shown as {payload}, which no writer has sent"));
            continue;
        };
        let first = *ids.entry((writer, number)).or_insert(id);
        // What was lost may be written again.
        if first != id && kept {
            wrongs.push(format!("event {number} of {writer} was shown as {first} and as {id}"));
        }
    }
    let told_up_to = streams.iter().map(FeedStream::told_up_to).max().unwrap_or(0);
    for Attempt { writer, number, id, .. } in attempts.iter().filter(|attempt| attempt.id.is_some()) {
        let id = id.as_deref().unwrap_or_default();
        match by_id.get(id) {
            Some(payload) if payload["by"] == **writer && payload["n"] == *number => {}
            None if revision(id) <= told_up_to => {}
            shown => {
                wrongs.push(format!("event {number} of {writer} was answered {id}, and {shown:?} shown"))
            }
        }
    }
    wrongs.extend(parted(streams));
    wrongs.extend(streams.iter().flat_map(|stream| out_of_turn(stream, attempts, kept)));
    wrongs
}

/// What is wrong with the gaps that listeners were shown, where the store has lost nothing: each must be a deletion, and each deletion must be told.
fn deletion_wrongs(history: &History, streams: &[FeedStream], last: u64) -> Vec<String> {
    let mut wrongs: Vec<String> = history.miscounted(last, 0).into_iter().collect();
    for stream in streams {
        let mut gaps = stream.gaps().peekable();
        while let Some((to, gap)) = gaps.next() {
            if gap["reason"] == "deleted" {
                wrongs.extend(history.misplaced(revision(to)));
                continue;
            }
            // What a listener has missed can be deleted before it asks. Until the deletion is announced, it is told only that there was more.
            let is_deleted_next = gaps.peek().is_some_and(|(_, next)| next["reason"] == "deleted");
            if gap["reason"] != "expired" || !is_deleted_next {
                wrongs.push(format!("a gap, though nothing was lost: {gap}"));
            }
        }
        // Another listener may have had no stream when the feed was deleted, and no id to come back with.
        if stream.whole {
            wrongs.extend(history.undeleted(stream.told_up_to()));
        }
    }
    wrongs
}

/// An event follows on the same one in all streams. Otherwise a listener has missed what another was shown, and was not told.
fn parted(streams: &[FeedStream]) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut before: HashMap<&str, &str> = HashMap::new();
    for stream in streams {
        for pair in stream.shown.windows(2) {
            if let [Shown::Event { id: one, .. }, Shown::Event { id: next, .. }] = pair {
                let first = *before.entry(next).or_insert(one);
                if first != one {
                    wrongs.push(format!("{next} was shown after {first} and after {one}"));
                }
            }
        }
    }
    wrongs
}

/// Each writer waits for an answer before it sends its next event, so its events are in its order.
fn out_of_turn(stream: &FeedStream, attempts: &[Attempt], kept: bool) -> Vec<String> {
    let known: HashSet<&str> = attempts.iter().map(|attempt| attempt.writer.as_str()).collect();
    let mut last: HashMap<&str, u64> = HashMap::new();
    let mut wrongs = Vec::new();
    for (id, payload) in stream.events() {
        let (Some(writer), Some(number)) = (payload["by"].as_str(), payload["n"].as_u64()) else { continue };
        if !known.contains(writer) {
            continue;
        }
        let before = last.insert(writer, number).unwrap_or(0);
        if kept && before >= number {
            wrongs.push(format!("{id}: event {number} of {writer} was shown after its event {before}"));
        }
    }
    wrongs
}

#[test]
fn events_left_out_doubled_deleted_or_out_of_order_are_seen() {
    use std::time::Instant;

    use super::history::Deletion;

    let event = |revision: u64, n: u64| Shown::Event {
        id: format!("e-{revision}"),
        payload: serde_json::json!({"by": "w", "n": n}),
    };
    let gap_from = |from: u64, to: u64, reason: &str| {
        let gap = serde_json::json!({"from": format!("feed-a@e-{from}"), "to": format!("feed-a@e-{to}"), "reason": reason});
        Shown::Gap { to: format!("e-{to}"), gap }
    };
    let gap = |to| gap_from(to - 1, to, "unknown");
    let start = Instant::now();
    let attempt = |number, id| super::history::attempt(start, number, id);
    let attempts = vec![attempt(1, Some("e-1")), attempt(2, None), attempt(3, Some("e-2"))];
    let history = History { attempts, deletions: Vec::new() };
    let wrong = |kept, whole, shown: &[Shown]| {
        let stream = FeedStream { whole, shown: shown.to_vec() };
        !wrongs(&history, &[stream], 2, kept).is_empty()
    };
    assert!(!wrong(true, true, &[event(1, 1), event(2, 3)]));
    assert!(wrong(true, true, &[event(2, 3)]), "the first one is left out");
    assert!(wrong(true, true, &[event(1, 1), event(2, 3), event(2, 3)]), "twice");
    assert!(wrong(true, true, &[event(1, 1), event(2, 2)]), "another was answered");
    assert!(wrong(true, true, &[event(1, 1), event(2, 3), event(3, 3)]), "written twice");
    assert!(wrong(true, true, &[event(1, 1), event(2, 3), event(3, 2)]), "out of turn");
    assert!(wrong(true, true, &[event(1, 1), event(2, 3), event(4, 5)]), "a hole");
    assert!(wrong(true, false, &[event(2, 3), event(3, 4)]), "the first one was shown to no listener");
    assert!(wrong(true, true, &[gap(1), event(2, 3)]), "a gap without a loss");
    assert!(!wrong(false, true, &[gap(1), event(2, 3)]));
    assert!(wrong(false, true, &[event(1, 1), gap(2), event(4, 5)]), "a hole behind the gap");
    assert!(wrong(false, true, &[event(1, 1), event(2, 3), Shown::Anew, event(1, 9)]), "two contents");
    assert!(!wrong(false, true, &[event(1, 1), event(2, 3), Shown::Anew, event(2, 3)]));
    let other = Shown::Event { id: "f-2".into(), payload: serde_json::json!({"by": "v", "n": 1}) };
    let streams = [vec![event(1, 1), event(2, 3), event(3, 4)], vec![event(1, 1), other, event(3, 4)]];
    let streams = streams.map(|shown| FeedStream { whole: true, shown });
    assert!(!wrongs(&history, &streams, 3, false).is_empty(), "a lost event in place of another");
    let attempts = vec![attempt(1, Some("e-1")), attempt(3, Some("e-3")), attempt(4, Some("e-4"))];
    let deletions = vec![Deletion { span: super::history::at(start, 20, Some(25)), found: None }];
    let deleted = History { attempts, deletions };
    let wrong = |last, shown: &[Shown]| {
        let stream = FeedStream { whole: true, shown: shown.to_vec() };
        !wrongs(&deleted, &[stream], last, true).is_empty()
    };
    let told = |from| gap_from(from, 2, "deleted");
    assert!(!wrong(4, &[event(1, 1), told(1), event(3, 3), event(4, 4)]));
    assert!(!wrong(4, &[told(0), event(3, 3), event(4, 4)]), "deleted before it was shown");
    assert!(wrong(4, &[event(1, 1), told(0), event(3, 3), event(4, 4)]), "from elsewhere");
    assert!(
        wrong(4, &[event(1, 1), told(1), event(1, 1), event(3, 3), event(4, 4)]),
        "a deleted event again"
    );
    assert!(wrong(4, &[event(1, 1), told(1), told(2), event(3, 3), event(4, 4)]), "told twice");
    assert!(wrong(4, &[event(1, 1), told(1), event(4, 4)]), "the first event behind it is lost");
    assert!(
        wrong(4, &[event(1, 1), gap_from(1, 3, "deleted"), event(4, 4)]),
        "it deletes a later event, too"
    );
    assert!(wrong(2, &[event(1, 1), event(2, 3)]), "not deleted");
    assert!(wrong(5, &[event(1, 1), told(1), event(3, 3), event(4, 4)]), "one more than were sent");
}
