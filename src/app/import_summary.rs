//! What an import has stored, in one sentence.

use crate::import::{CheckedInput, ImportMode, NamedTopics};

/// What an import did not need to store.
#[derive(Clone, Copy, Default)]
pub(super) struct LeftOut {
    /// How many events their feeds do not need.
    pub(super) events: u64,
    /// How many entities have a life that is over.
    pub(super) ended: u64,
    /// How many lines have hours and days that were not stored: the store keeps none, or the counter has a past of its own.
    pub(super) pasts: u64,
}

/// What is stored, or with `dry_run` would be.
pub(super) fn sentence(checked: &CheckedInput, mode: ImportMode, dry_run: bool, left_out: LeftOut) -> String {
    let mut parts = Vec::new();
    let LeftOut { events, ended, pasts } = left_out;
    if checked.lines > 0 {
        parts.push(sentence_of_values(checked.lines, checked.named, mode, dry_run, ended));
    }
    if pasts > 0 {
        let why = match (mode, pasts) {
            (ImportMode::Set, _) => "this service keeps none of them",
            (ImportMode::Add, 1) => "its counter has a past here, or this service keeps none of them",
            (ImportMode::Add, _) => "their counters have a past here, or this service keeps none of them",
        };
        parts.push(format!(
            "the hours and days of {} are left out, as {why}",
            counted(pasts, "line", "lines")
        ));
    }
    if ended > 0 {
        let (lives, are) = if ended == 1 { ("its life is", "is") } else { ("their lives are", "are") };
        parts.push(format!("{} {are} left out, as {lives} over", counted(ended, "entity", "entities")));
    }
    if checked.events > 0 {
        let appended = checked.events - events;
        parts.push(format!("{} {} appended", counted(appended, "event", "events"), are(appended, dry_run)));
    }
    if events > 0 {
        let whose = if events == 1 {
            "its feed has it or a later one"
        } else {
            "their feeds have them or later ones"
        };
        let is = are(events, false);
        parts.push(format!("{} {is} left out, as {whose}", counted(events, "event", "events")));
    }
    parts.join("; ")
}

/// What is set or added, without the entities whose lives are over.
fn sentence_of_values(lines: u64, named: NamedTopics, mode: ImportMode, dry_run: bool, ended: u64) -> String {
    let entities = named.entities - ended;
    let kinds = [
        (named.counters, "counter", "counters"),
        (named.pages, "page", "pages"),
        (named.sites, "site", "sites"),
        (entities, "entity", "entities"),
    ];
    let some = kinds.iter().filter(|(count, ..)| *count > 0);
    let some: Vec<_> = some.map(|(count, one, many)| counted(*count, one, many)).collect();
    let topics = match some.split_last() {
        None => "0 entities".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    };
    match mode {
        ImportMode::Set => {
            let all = named.counters + named.pages + named.sites + entities;
            format!("{topics} {} set", are(all, dry_run))
        }
        ImportMode::Add => {
            format!("{} for {topics} {} added", counted(lines, "value", "values"), are(lines, dry_run))
        }
    }
}

/// How many lines are stored, as a sentence.
pub(super) fn lines_stored(count: u64) -> String {
    format!("{} {} stored", counted(count, "line", "lines"), are(count, false))
}

/// A number with the word for what is counted.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The verb for so many things that are done, or with `dry_run` would be.
fn are(count: u64, dry_run: bool) -> &'static str {
    match (dry_run, count) {
        (true, _) => "would be",
        (false, 1) => "is",
        (false, _) => "are",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::check;

    fn of(input: &str, mode: ImportMode, dry_run: bool, left_out: LeftOut) -> String {
        sentence(&check(input.as_bytes(), mode).expect("lines"), mode, dry_run, left_out)
    }

    const ALL: &str = r#"{"id":"a","value":1}
{"id":"b","value":0}
{"page":"example.com/a","value":1}
{"site":"example.com","value":1}
{"route":"a","key":"b","payload":{}}
{"route":"a","key":"c","payload":{}}
"#;

    #[test]
    fn each_kind_is_counted_in_the_singular_and_in_the_plural() {
        let (one, set, add) = ("{\"id\":\"a\",\"value\":1}\n", ImportMode::Set, ImportMode::Add);
        for (input, mode, dry_run, expected) in [
            (one, set, false, "1 counter is set"),
            (one, set, true, "1 counter would be set"),
            (one, add, false, "1 value for 1 counter is added"),
            (&one.repeat(2), add, false, "2 values for 1 counter are added"),
            (ALL, set, false, "2 counters, 1 page, 1 site and 2 entities are set"),
            ("{\"route\":\"a\",\"at\":1,\"event\":1}\n", add, false, "1 event is appended"),
        ] {
            assert_eq!(of(input, mode, dry_run, LeftOut::default()), expected, "{input}");
        }
    }

    #[test]
    fn what_is_left_out_is_counted_in_the_singular_and_in_the_plural() {
        let events = "{\"route\":\"a\",\"at\":1,\"event\":1}\n".repeat(3);
        let input = ALL.to_owned() + &events;
        let left_out = |count| LeftOut { events: count, ended: count, pasts: count };
        assert_eq!(
            of(&input, ImportMode::Set, false, left_out(1)),
            "2 counters, 1 page, 1 site and 1 entity are set; \
             the hours and days of 1 line are left out, as this service keeps none of them; \
             1 entity is left out, as its life is over; 2 events are appended; \
             1 event is left out, as its feed has it or a later one"
        );
        assert_eq!(
            of(&input, ImportMode::Set, false, left_out(2)),
            "2 counters, 1 page and 1 site are set; \
             the hours and days of 2 lines are left out, as this service keeps none of them; \
             2 entities are left out, as their lives are over; 1 event is appended; \
             2 events are left out, as their feeds have them or later ones"
        );
        let over = "{\"route\":\"a\",\"key\":\"b\",\"payload\":{},\"ends\":1}\n";
        assert_eq!(
            of(over, ImportMode::Set, false, LeftOut { ended: 1, ..LeftOut::default() }),
            "0 entities are set; 1 entity is left out, as its life is over"
        );
        let past = "{\"id\":\"a\",\"value\":1,\"hours\":[[1,1]]}\n";
        assert_eq!(
            of(past, ImportMode::Add, false, LeftOut { pasts: 1, ..LeftOut::default() }),
            "1 value for 1 counter is added; the hours and days of 1 line are left out, \
             as its counter has a past here, or this service keeps none of them"
        );
    }
}
