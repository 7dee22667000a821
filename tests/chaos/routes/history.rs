//! What writers did to a feed or an entity, and what follows from it for the place of a deletion among the revisions.

use std::time::Instant;

use serde_json::Value;

/// When a request was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) began: Instant,
    /// When it was answered; `None` where it may have had its effect at any time since, or not at all.
    pub(crate) answered: Option<Instant>,
}

/// A drop that may have been written, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) writer: String,
    /// The number of the drop among those that this writer has sent to the same feed or entity, from 1 on.
    pub(crate) number: u64,
    /// The id that the writer was answered, `epoch-revision`; `None` where the drop may or may not have been written.
    pub(crate) id: Option<String>,
    pub(crate) span: Span,
}

impl Attempt {
    /// The revision that the writer was answered.
    pub(crate) fn revision(&self) -> Option<u64> {
        self.id.as_deref().map(revision)
    }
}

/// A deletion that may have happened, or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) span: Span,
    /// Whether there was anything, if the answer says so.
    pub(crate) found: Option<bool>,
}

/// All writes to a feed or an entity, each writer's in its order.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) deletions: Vec<Deletion>,
}

/// The revision of an id that is written `epoch-revision`.
pub(crate) fn revision(id: &str) -> u64 {
    let revision = id.split_once('-').and_then(|(_, revision)| revision.parse().ok());
    revision.unwrap_or_else(|| panic!("{id} is no id"))
}

impl History {
    /// What was not answered.
    pub(crate) fn unanswered(&self) -> usize {
        let drops = self.attempts.iter().filter(|attempt| attempt.id.is_none()).count();
        drops + self.deletions.iter().filter(|it| it.span.answered.is_none()).count()
    }

    /// Whether a writer may have sent the event that was shown with this id.
    pub(crate) fn has_sent(&self, id: &str, event: &Value) -> bool {
        let is_it = |it: &&Attempt| event["by"] == *it.writer && event["n"] == it.number;
        self.attempts.iter().find(is_it).is_some_and(|it| it.id.as_deref().is_none_or(|own| own == id))
    }

    /// What is wrong with a deletion that has this revision: it must not be that of a drop, and one of the deletions must have been under way when all
    /// drops before it may have been written and none behind it must have been.
    pub(crate) fn misplaced(&self, deletion: u64) -> Option<String> {
        let answered = || self.attempts.iter().filter_map(|it| Some((it, it.revision()?)));
        if let Some((drop, _)) = answered().find(|(_, own)| *own == deletion) {
            return Some(format!("{deletion} is a deletion, and was answered to {drop:?}"));
        }
        // A deletion before all of these drops may be older than their writers.
        let after = answered().filter(|(_, own)| *own < deletion).map(|(it, _)| it.span.began).max()?;
        let before =
            answered().filter(|(_, own)| *own > deletion).filter_map(|(it, _)| it.span.answered).min();
        let fits = |Deletion { span, .. }: &Deletion| {
            span.answered.is_none_or(|answered| answered >= after)
                && before.is_none_or(|before| span.began <= before)
        };
        (!self.deletions.iter().any(fits)).then(|| format!("no request explains the deletion {deletion}"))
    }

    /// What is wrong if the last deletion has this revision: an answered deletion must lie behind each drop that was answered before its request.
    pub(crate) fn undeleted(&self, last: u64) -> Option<String> {
        let begins = self.deletions.iter().filter(|it| it.span.answered.is_some()).map(|it| it.span.began);
        let begun = begins.max()?;
        let gone =
            self.attempts.iter().filter(|it| it.span.answered.is_some_and(|answered| answered < begun));
        let left =
            gone.filter(|it| it.revision().is_some_and(|own| own > last)).max_by_key(|it| it.revision())?;
        Some(format!("{left:?} was answered before a deletion, and the last one is {last}"))
    }

    /// What is wrong with the last revision: each revision is that of one drop or of one deletion. `others` are drops of writers that this history
    /// does not know.
    pub(crate) fn miscounted(&self, last: u64, others: u64) -> Option<String> {
        let answered = self.attempts.iter().filter(|attempt| attempt.id.is_some()).count() as u64;
        let found = self.deletions.iter().filter(|it| it.found == Some(true)).count() as u64;
        let futile = self.deletions.iter().filter(|it| it.found == Some(false)).count();
        let unknown =
            (self.attempts.len() as u64 - answered) + (self.deletions.len() - futile) as u64 - found;
        let least = answered + found + others;
        (!(least..=least + unknown).contains(&last)).then(|| {
            format!("the last revision is {last}, of {least} to {} drops and deletions", least + unknown)
        })
    }
}

#[cfg(test)]
pub(crate) fn at(start: Instant, from: u64, to: Option<u64>) -> Span {
    use std::time::Duration;
    let after = |ms| start + Duration::from_millis(ms);
    Span { began: after(from), answered: to.map(after) }
}

/// The drop of one writer that has this number, sent every 10 ms and answered with the id, if there is one, after 5 ms.
#[cfg(test)]
pub(crate) fn attempt(start: Instant, number: u64, id: Option<&str>) -> Attempt {
    let span = at(start, 10 * number, id.map(|_| 10 * number + 5));
    Attempt { writer: "w".to_owned(), number, id: id.map(str::to_owned), span }
}

#[test]
fn deletions_that_are_lost_or_that_nobody_sent_are_seen() {
    let start = Instant::now();
    let drop = |number, id: Option<&str>, from, to| {
        let (writer, id) = ("w".to_owned(), id.map(str::to_owned));
        Attempt { writer, number, id, span: at(start, from, to) }
    };
    let deletion = |from, to, found| Deletion { span: at(start, from, to), found };
    let attempts = vec![drop(1, Some("e-1"), 0, Some(10)), drop(2, Some("e-3"), 40, Some(50))];
    let history =
        |deletions: &[Deletion]| History { attempts: attempts.clone(), deletions: deletions.to_vec() };
    let once = history(&[deletion(20, Some(30), Some(true))]);
    assert_eq!((once.misplaced(2), once.undeleted(2), once.miscounted(3, 0)), (None, None, None));
    assert!(once.misplaced(3).is_some(), "a drop has this revision");
    assert!(once.misplaced(4).is_some(), "it was answered before the last drop began");
    assert!(once.undeleted(0).is_some(), "the first drop is still there");
    assert!(
        once.miscounted(2, 0).is_some() && once.miscounted(4, 0).is_some() && once.miscounted(4, 1).is_none()
    );
    let early = history(&[deletion(60, Some(70), None)]);
    assert!(early.misplaced(2).is_some(), "it was sent after the last drop");
    assert!(early.undeleted(2).is_some() && early.misplaced(4).is_none() && early.undeleted(4).is_none());
    let lost = history(&[deletion(5, None, None)]);
    assert!(lost.misplaced(2).is_none() && lost.misplaced(4).is_none(), "it may have come late");
    assert!(lost.undeleted(0).is_none() && lost.unanswered() == 1);
    assert!(
        lost.miscounted(2, 0).is_none() && lost.miscounted(3, 0).is_none() && lost.miscounted(4, 0).is_some()
    );
    assert!(history(&[deletion(20, Some(30), Some(false))]).miscounted(3, 0).is_some());
}
