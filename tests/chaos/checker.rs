//! What must be true at the end, judged by the answers to clients and by the requests that arrived at the proxies.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::fault_proxy::Record;
use crate::listeners::SetBack;
use crate::world::Lost;
use crate::writers::Told;

/// How long the answer to a recovery may have been under way.
const RECOVERY: Duration = Duration::from_secs(5);

/// The errors in the answers to the writers of a counter or of a page, which took its value from `first` to `last`.
pub(crate) fn counted(name: &str, told: &Told, first: i64, last: i64) -> Vec<String> {
    let mut wrongs = told.fallen.clone();
    let mut own = told.own.clone();
    own.sort_unstable();
    let acknowledged = told.values.len() as i64;
    for pair in own.windows(2).filter(|pair| pair[0] == pair[1]) {
        wrongs.push(format!("{name}: {} was handed out twice", pair[0]));
    }
    if told.values.iter().any(|&value| value <= first || value > last) {
        wrongs.push(format!("{name}: a value was handed out that is not in {}..={last}", first + 1));
    }
    let most = acknowledged + told.ambiguous as i64;
    if !(acknowledged..=most).contains(&(last - first)) {
        wrongs.push(format!("{name}: from {first} to {last}, but {acknowledged} to {most} were counted"));
    }
    // Without ambiguous POSTs: as many different values as the last says, so no hole. With some, the bound above says
    // that there are no more holes than those can have made.
    wrongs
}

/// What is wrong with the hits of a site whose pages had so many `hits`. Where they `may_differ`, a hit may have counted for one of the two alone.
pub(crate) fn site_counted(
    site: &str,
    told: &HashMap<String, Told>,
    pages: i64,
    hits: i64,
    may_differ: bool,
) -> Option<String> {
    let sent: i64 = told.values().map(|told| told.values.len() as i64 + told.ambiguous as i64).sum();
    let is_right = if may_differ { (0..=sent).contains(&hits) } else { hits == pages };
    (!is_right).then(|| format!("{site} has {hits} hits, its pages {pages}, and {sent} were sent"))
}

/// What is wrong with how much was counted of what was acknowledged, where so much, at least and at most, may be lost.
pub(crate) fn lost(acknowledged: i64, ambiguous: i64, counted: i64, least: i64, most: i64) -> Option<String> {
    // Each POST that was counted but not answered may hide a lost one.
    let plausible = acknowledged - most..=acknowledged + ambiguous - least;
    (!plausible.contains(&counted)).then(|| {
        format!(
            "{counted} of {acknowledged} acknowledged (and {ambiguous} ambiguous) were counted, \
             though {least} to {most} may be lost"
        )
    })
}

/// What is wrong with an older value that a listener was shown, where so much may be lost, and Redis came back empty so often.
pub(crate) fn set_back(
    it: SetBack,
    told: &HashMap<String, Told>,
    lost: Lost,
    memories: usize,
) -> Option<String> {
    let is_wrong = match lost {
        // An older value in a new epoch is what a memory that came back shows.
        Lost::Nothing => memories == 0 || it.within_epoch,
        // A value that no writer was answered may be taken back. An answered value stays, unless its answer was under way at that time.
        Lost::Unacknowledged => {
            // What writers of a managed counter were answered has no order by value: see `order`.
            let told = told.get(&it.name).filter(|_| !it.managed);
            told.is_some_and(|told| it.value < told.most_at(it.at - RECOVERY))
        }
        Lost::Acknowledged { .. } => false,
    };
    is_wrong.then_some(it.text)
}

/// An item as it was sent to a control port.
struct PublishedItem {
    at: Instant,
    channel: String,
    id: String,
    content: String,
}

/// How often the store let a topic be claimed.
pub(crate) struct Pace {
    /// No topic was claimed before this time.
    pub(crate) since: Instant,
    pub(crate) interval: Duration,
    /// How long the faults may have kept a publish under way.
    pub(crate) late: Duration,
    /// How often the store has lost its memory, and with it the gates.
    pub(crate) memories: usize,
    /// Whether two masters answered at the same time, each with gates of its own: epochs, which are of one master each,
    /// are then judged apart.
    pub(crate) apart: bool,
}

/// What is wrong with what was published to one proxy: more than one id per counter and interval, over all origins, or
/// an id with two contents.
pub(crate) fn published(records: &[Record], pace: &Pace) -> Vec<String> {
    let &Pace { since, interval, late, memories, apart } = pace;
    let mut wrongs = Vec::new();
    let mut contents: HashMap<(String, String), String> = HashMap::new();
    let mut firsts: HashMap<String, Vec<Instant>> = HashMap::new();
    for PublishedItem { at, channel, id, content } in records.iter().flat_map(items) {
        match contents.get(&(channel.clone(), id.clone())) {
            Some(known) if *known != content => {
                wrongs.push(format!("{channel} {id} was published with {known:?} and with {content:?}"));
            }
            Some(_) => {}
            None => {
                contents.insert((channel.clone(), id.clone()), content);
                // The channel of all feeds below a route has an item for each of these feeds.
                if channel.ends_with('*') {
                    continue;
                }
                let epoch = id.split('-').next().filter(|_| apart).unwrap_or_default();
                firsts.entry(format!("{channel} {epoch}")).or_default().push(at);
            }
        }
    }
    let most = |time: Duration| time.as_secs_f64() / interval.as_secs_f64() + 1.0 + memories as f64;
    for (channel, times) in firsts {
        // Over the whole time it is exact: whatever has arrived was claimed since the beginning.
        if let Some(last) = times.last().map(|last| last.duration_since(since))
            && times.len() as f64 > most(last)
        {
            wrongs.push(format!("{channel}: {} publishes within {last:?}", times.len()));
        }
        for (first, from) in times.iter().enumerate() {
            // Each was claimed at most `late` before it arrived; the store lets one claim pass per interval.
            let crowded = times[first..]
                .iter()
                .enumerate()
                .find(|(count, to)| *count as f64 + 1.0 > most(to.duration_since(*from) + late));
            if let Some((count, to)) = crowded {
                let within = to.duration_since(*from);
                wrongs.push(format!("{channel}: {} publishes within {within:?}", count + 1));
                break;
            }
        }
    }
    wrongs
}

fn items(record: &Record) -> Vec<PublishedItem> {
    let body: serde_json::Value = serde_json::from_slice(&record.body).expect("a publish is JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
    let items = body["items"].as_array().expect("items").iter();
    let item = |item: &serde_json::Value| PublishedItem {
        at: record.at,
        channel: text(&item["channel"]),
        id: text(&item["id"]),
        content: text(&item["formats"]["http-stream"]["content"]),
    };
    items.map(item).collect()
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let told = |values: &[i64], ambiguous| Told {
        values: values.to_vec(),
        own: values.to_vec(),
        ambiguous,
        ..Told::default()
    };
    assert!(counted("a", &told(&[1, 3, 2], 0), 0, 3).is_empty());
    assert!(counted("a", &told(&[1, 3], 1), 0, 3).is_empty());
    for (values, ambiguous, last) in
        [(&[1, 2, 2][..], 0, 3), (&[1, 3], 0, 3), (&[1, 2], 0, 3), (&[1, 2, 3], 0, 2), (&[1, 2], 1, 4)]
    {
        assert!(!counted("a", &told(values, ambiguous), 0, last).is_empty(), "{values:?} {ambiguous} {last}");
    }
    assert!(counted("a", &told(&[8, 9], 0), 7, 9).is_empty());
    assert!(!counted("a", &told(&[7, 8], 0), 7, 9).is_empty(), "begins too early");
    let shared = Told { values: vec![1, 3, 3], own: vec![3], ..Told::default() };
    assert!(counted("page-a", &shared, 0, 3).is_empty(), "the answer to a repeated hit is the present value");
    let fallen = Told { fallen: vec!["less".to_owned()], ..shared.clone() };
    assert!(!counted("page-a", &fallen, 0, 3).is_empty() && !counted("page-a", &shared, 0, 4).is_empty());
    let told_of_page = HashMap::from([("page-a".to_owned(), told(&[1, 2], 1))]);
    let site =
        |pages, hits, may_differ| site_counted("site-a", &told_of_page, pages, hits, may_differ).is_some();
    assert!(!site(2, 2, false) && site(2, 3, false) && !site(2, 3, true) && site(3, 4, true));
    let start = Instant::now();
    let record = |ms, id: &str, content: &str| {
        let formats = serde_json::json!({ "http-stream": { "content": content } });
        let item = serde_json::json!({ "channel": "c", "id": id, "prev-id": "0", "formats": formats });
        let body = serde_json::json!({ "items": [item] }).to_string().into_bytes();
        Record { at: start + Duration::from_millis(ms), body }
    };
    let (interval, late) = (Duration::from_millis(250), Duration::from_millis(100));
    let pace = |apart| Pace { since: start, interval, late, memories: 0, apart };
    let wrongs = |records: &[Record]| published(records, &pace(false)).len();
    assert_eq!(wrongs(&[record(0, "e-1", "1"), record(0, "e-1", "1"), record(250, "e-2", "2")]), 0);
    assert_eq!(wrongs(&[record(900, "e-1", "1"), record(1000, "e-2", "2")]), 1);
    assert_eq!(wrongs(&[record(0, "e-1", "1"), record(240, "e-2", "2")]), 1, "exact from the beginning");
    assert_eq!(wrongs(&[record(0, "e-1", "1"), record(900, "e-1", "2")]), 1);
    let wrongs = |records: &[Record]| published(records, &pace(true)).len();
    assert_eq!(wrongs(&[record(900, "e-1", "1"), record(910, "f-1", "2")]), 0, "of two masters");
    assert_eq!(wrongs(&[record(900, "f-1", "2"), record(910, "e-1", "1"), record(1000, "f-2", "3")]), 1);
    assert_eq!(lost(10, 0, 7, 1, 3), None);
    assert_eq!(lost(10, 2, 11, 1, 3), None);
    for (ambiguous, counted) in [(0, 10), (0, 6), (2, 12)] {
        assert!(lost(10, ambiguous, counted, 1, 3).is_some(), "{ambiguous} {counted}");
    }
    let told = HashMap::from([("a".to_owned(), Told { times: vec![start; 2], ..told(&[1, 3], 0) })]);
    let of = |managed: bool, value, after, within_epoch, lost, memories| {
        let (name, at, text) = ("a".to_owned(), start + after, String::new());
        set_back(SetBack { at, name, value, managed, within_epoch, text }, &told, lost, memories).is_some()
    };
    let wrong =
        |value, after, within_epoch, lost, memories| of(false, value, after, within_epoch, lost, memories);
    let (soon, late) = (Duration::from_secs(1), Duration::from_secs(9));
    assert!(wrong(3, soon, true, Lost::Nothing, 1) && wrong(3, soon, false, Lost::Nothing, 0));
    assert!(!wrong(3, soon, false, Lost::Nothing, 1));
    assert!(wrong(2, late, false, Lost::Unacknowledged, 0), "a writer was answered 3");
    assert!(!wrong(3, late, true, Lost::Unacknowledged, 0) && !wrong(2, soon, true, Lost::Unacknowledged, 0));
    assert!(of(true, 3, soon, true, Lost::Nothing, 1) && of(true, 9, soon, false, Lost::Nothing, 0));
    assert!(!of(true, 2, late, false, Lost::Unacknowledged, 0), "it may have been set to less");
}
