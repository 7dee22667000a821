//! Several counters in one stream, through the chain: one hold with a channel for each counter.

use std::collections::BTreeMap;
use std::time::Duration;

use livecounter::access::NewSecret;

use crate::counters::{lose_a_publish, until};
use crate::managing::owner;
use crate::support::chain::Chain;
use crate::support::http::{Ask, client, header};
use crate::support::pushpin::Options;
use crate::support::server::Server;
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(10);

/// The values of each counter, in the order in which a stream has shown them.
type Shown = BTreeMap<String, Vec<i64>>;

/// Reads events until the condition holds. No counter may go backwards, and none may be shown a value twice.
async fn read_until(listener: &mut Listener, shown: &mut Shown, reached: impl Fn(&Shown) -> bool) {
    while !reached(shown) {
        let event = listener.next(SOON).await;
        let id = event.id.expect("an id");
        let (counter, _) = id.split_once('@').expect("a counter and a revision");
        let values = shown.entry(counter.to_owned()).or_default();
        values.push(event.data.parse().expect("a number"));
        assert!(values.is_sorted_by(|a, b| a < b), "counter {counter}: {values:?}");
    }
}

fn last(shown: &Shown, counter: &str) -> Option<i64> {
    shown.get(counter)?.last().copied()
}

#[tokio::test]
async fn a_stream_of_two_counters_gets_the_changes_of_both() {
    let chain = Chain::start(2).await;
    chain.origins[0].add_by("2", 26).await;
    // A listener that joins before the publish would get 26 twice.
    until(async || chain.metric("livecounter_announcements_acknowledged_total").await, |n| n >= 1.0).await;
    let mut listener = Listener::connect(chain.pushpin.addr(), "/counters/2,1/").await;
    let mut shown = Shown::new();
    read_until(&mut listener, &mut shown, |shown| shown.len() == 2).await;
    assert_eq!((last(&shown, "1"), last(&shown, "2")), (Some(0), Some(26)));
    for (origin, counter, value) in [(0, "1", 1), (1, "2", 27), (1, "1", 2), (0, "2", 28)] {
        assert_eq!(chain.origins[origin].add(counter).await, value);
        read_until(&mut listener, &mut shown, |shown| last(shown, counter) == Some(value)).await;
    }
}

#[tokio::test]
async fn a_publish_lost_on_one_channel_heals_and_the_other_goes_on() {
    let chain = Chain::start(1).await;
    let mut listener = Listener::connect(chain.pushpin.addr(), "/counters/1,2/").await;
    let mut shown = Shown::new();
    read_until(&mut listener, &mut shown, |shown| shown.len() == 2).await;
    for counter in ["1", "2"] {
        chain.origins[0].add(counter).await;
        read_until(&mut listener, &mut shown, |shown| last(shown, counter) == Some(1)).await;
    }
    lose_a_publish(&chain, "2", 40).await;
    chain.origins[0].add("1").await;
    read_until(&mut listener, &mut shown, |shown| last(shown, "1") == Some(2)).await;
    chain.origins[0].add("2").await;
    read_until(&mut listener, &mut shown, |shown| last(shown, "2") == Some(42)).await;
    chain.origins[0].add("1").await;
    read_until(&mut listener, &mut shown, |shown| last(shown, "1") == Some(3)).await;
}

#[tokio::test]
async fn the_last_publish_lost_on_one_of_twenty_channels_heals_after_a_silence() {
    let chain = Chain::start(1).await;
    let ids: Vec<String> = (0..20).map(|id| format!("c{id:02}")).collect();
    let path = format!("/counters/{}/", ids.join(","));
    let mut listener = Listener::connect(chain.pushpin.addr(), &path).await;
    let mut shown = Shown::new();
    read_until(&mut listener, &mut shown, |shown| shown.len() == 20).await;
    for id in &ids {
        chain.origins[0].add(id).await;
    }
    read_until(&mut listener, &mut shown, |shown| ids.iter().all(|id| last(shown, id) == Some(1))).await;
    lose_a_publish(&chain, "c19", 5).await;
    // The proxy asks every 15 s of silence.
    let healed = async {
        loop {
            if let Some(event) = listener.try_next(Duration::from_secs(40)).await {
                break event;
            }
        }
    };
    let event = tokio::time::timeout(Duration::from_secs(40), healed).await.expect("an event");
    assert_eq!((event.id.expect("an id").split('@').next(), event.data.as_str()), (Some("c19"), "6"));
}

#[tokio::test]
async fn a_counter_deleted_in_a_stream_of_several_shows_0_and_goes_on() {
    let secret = NewSecret::generate().expect("random numbers");
    let chain = Chain::with(2, &[("LIVECOUNTER__KEYS", &owner(&secret))], Options::default()).await;
    chain.origins[0].add_by("2", 26).await;
    // A listener that joins before the publish would get 26 twice.
    until(async || chain.metric("livecounter_announcements_acknowledged_total").await, |n| n >= 1.0).await;
    let mut listener = Listener::connect(chain.pushpin.addr(), "/counters/1,2/").await;
    let next = async |listener: &mut Listener| {
        let event = listener.next(SOON).await;
        let id = event.id.expect("an id");
        format!("{} {}", id.split('@').next().expect("a counter"), event.data)
    };
    assert_eq!((next(&mut listener).await, next(&mut listener).await), ("1 0".to_owned(), "2 26".to_owned()));
    let url = chain.pushpin.url("/counters/2/");
    assert_eq!(client().delete(&url).bearer_auth(secret.expose()).answer().await.status(), 204);
    assert_eq!(next(&mut listener).await, "2 0");
    chain.origins[1].add("1").await;
    assert_eq!(next(&mut listener).await, "1 1");
    chain.origins[1].add("2").await;
    assert_eq!(next(&mut listener).await, "2 1");
}

#[tokio::test]
async fn the_cache_keeps_one_answer_for_all_spellings_of_a_list() {
    let chain = Chain::start(1).await;
    let get = async |list: &str| {
        let answer = client().get(chain.cache.url(&format!("/counters/{list}/"))).answer().await;
        assert_eq!(answer.status(), 200, "{list}");
        let cached = header(&answer, "x-cache").to_owned();
        (answer.text().await.expect("a body"), cached)
    };
    assert_eq!(get("b,a").await, ("a 0\nb 0\n".to_owned(), "MISS".to_owned()));
    for list in ["a,b", "b,a", "b,a,b", "b%2Ca"] {
        assert_eq!(get(list).await, ("a 0\nb 0\n".to_owned(), "HIT".to_owned()), "{list}");
    }
    chain.origins[0].add("b").await;
    // A change of one of them purges the answer, whatever it was asked as.
    for list in ["b,a", "a,b"] {
        let fresh = async || get(list).await.0 == "a 0\nb 1\n";
        crate::support::wait::until("the list is purged", fresh).await;
    }
    // What a client claims of itself changes no answer.
    let forged = client().get(chain.cache.url("/counters/y,x/")).header("x-canonical-path", "1");
    assert_eq!(forged.text().await, "x 0\ny 0\n");
    let bad = client().get(chain.cache.url("/counters/y,,x/")).answer().await;
    assert_eq!(bad.status(), 400);
}
