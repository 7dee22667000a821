//! The events of feeds through the chain: Pushpin holds the streams, origins announce, Redis keeps the events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use livecounter::access::NewSecret;
use livecounter::domain::{EventId, JsonText, Topic};
use livecounter::store::redis::RedisStore;
use livecounter::store::{Change, Claim, ClaimTerms, Outbox, Values, Write};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use crate::support::app::TestApp;
use crate::support::chain::Chain;
use crate::support::http::{Ask, client};
use crate::support::keys::key_table;
use crate::support::port::Port;
use crate::support::pushpin::{Options, Pushpin};
use crate::support::redis::RedisServer;
use crate::support::sse::{Event, Listener};
use crate::support::varnish::Varnish;

const SOON: Duration = Duration::from_secs(10);
/// Longer than two times the silence after which Pushpin asks for a recovery.
const HEALED: Duration = Duration::from_secs(45);

/// The setting with a key that may read and write all routes.
fn keys(secret: &NewSecret) -> String {
    key_table("k", secret, r#"["read:routes/", "write:routes/"]"#)
}

/// Appends an event; `None` if no origin has answered.
async fn try_drop(address: &str, key: &str, route: &str, number: u64) -> Option<String> {
    let body = json!({"route": route, "payload": number});
    let request = client().request(Method::POST, format!("{address}/drop")).bearer_auth(key);
    let request = request.header("Idempotency-Key", format!("{route}-{number}")).json(&body);
    let answer = request.send().await.ok().filter(|answer| answer.status() == 200)?;
    let answer: Value = answer.json().await.ok()?;
    answer["drop_id"].as_str().map(str::to_owned)
}

async fn drop_event(address: &str, key: &str, route: &str, number: u64) -> String {
    try_drop(address, key, route, number).await.expect("an answer")
}

async fn connect(pushpin: &Pushpin, key: &str, path: &str) -> Listener {
    let bearer = format!("Bearer {key}");
    Listener::connect_with(pushpin.addr(), path, &[("Authorization", &bearer)]).await
}

/// The next event, which must be this one.
async fn expect(listener: &mut Listener, number: u64, within: Duration) -> String {
    let Event { id, event, data } = listener.next(within).await;
    assert_eq!((event.as_deref(), data), (Some("message"), number.to_string()));
    id.expect("an id")
}

#[tokio::test]
async fn a_proxy_holds_the_stream_of_a_feed_and_each_event_comes_once() {
    let secret = NewSecret::generate().expect("random numbers");
    let chain = Chain::with(2, &[("LIVECOUNTER__KEYS", &keys(&secret))], Options::default()).await;
    let key = secret.expose();
    let (first, second) = (&chain.origins[0].address, &chain.origins[1].address);
    let mut fresh = connect(&chain.pushpin, key, "/live/app/chat").await;
    let mut below = connect(&chain.pushpin, key, "/live/app/*").await;
    assert_eq!((fresh.status(), below.status()), (200, 200));
    let mut ids = Vec::new();
    for number in 0..60 {
        let address = if number % 2 == 0 { first } else { second };
        ids.push(drop_event(address, key, "app/chat", number).await);
    }
    for listener in [&mut fresh, &mut below] {
        for number in 0..60 {
            let id = expect(listener, number, SOON).await;
            assert_eq!(id, format!("feed-app/chat@{}", ids[number as usize]));
        }
    }
    let seen = format!("/live/app/chat?last_event_id={}", ids[29]);
    let mut returned = connect(&chain.pushpin, key, &seen).await;
    let mut last = connect(&chain.pushpin, key, "/live/app/chat?last=10").await;
    for number in 30..60 {
        expect(&mut returned, number, SOON).await;
    }
    for number in 50..60 {
        expect(&mut last, number, SOON).await;
    }
    // Who has just written an event, and listens from there, gets the next ones and not this one.
    let id = drop_event(first, key, "app/chat", 60).await;
    let mut writer = connect(&chain.pushpin, key, &format!("/live/app/chat?last_event_id={id}")).await;
    drop_event(second, key, "app/chat", 61).await;
    expect(&mut writer, 61, SOON).await;
    for listener in [&mut fresh, &mut below, &mut returned, &mut last] {
        expect(listener, 60, SOON).await;
        expect(listener, 61, SOON).await;
    }
    for path in ["/live/app/chat", "/live/app/*", "/feed/app/chat"] {
        assert_eq!(client().get(chain.pushpin.url(path)).answer().await.status(), 401, "{path}");
    }
}

fn feed() -> Topic {
    Topic::feed(&"chat".parse().expect("a route"))
}

#[tokio::test]
async fn a_held_stream_shows_what_was_written_after_an_untold_deletion() {
    let secret = NewSecret::generate().expect("random numbers");
    let keys = keys(&secret).replace("write:routes/\"", "write:routes/\", \"manage:routes/\"");
    let settings = [("LIVECOUNTER__KEYS", keys.as_str()), ("LIVECOUNTER__PUBLISH__INTERVAL", "3s")];
    let chain = Chain::with(2, &settings, Options::default()).await;
    let (address, key) = (&chain.origins[0].address, secret.expose());
    let mut listener = connect(&chain.pushpin, key, "/live/chat").await;
    drop_event(address, key, "chat", 0).await;
    expect(&mut listener, 0, SOON).await;
    let url = chain.pushpin.url("/feed/chat");
    assert_eq!(client().delete(url).bearer_auth(key).answer().await.status(), 204);
    drop_event(address, key, "chat", 1).await;
    drop_event(address, key, "chat", 2).await;
    let gap = listener.next(HEALED).await;
    assert!(gap.event.as_deref() == Some("gap") && gap.data.contains("\"deleted\""), "{gap:?}");
    expect(&mut listener, 1, HEALED).await;
    expect(&mut listener, 2, SOON).await;
    drop_event(address, key, "chat", 3).await;
    expect(&mut listener, 3, SOON).await;
}

/// Appends events and claims them, as an origin does that is killed before it publishes.
async fn claim_events(chain: &Chain, events: Vec<JsonText>, lease: Duration) -> (RedisStore, EventId) {
    let store = RedisStore::connect(&chain.redis.url(), SOON).expect("a URL");
    let append = Write::new(feed(), Change::Append(events.into()));
    store.write(vec![append]).await.remove(0).expect("appended");
    let terms = ClaimTerms { interval: Duration::ZERO, lease };
    let mut poll = tokio::time::interval(Duration::from_millis(5));
    loop {
        match store.claim(vec![feed()], terms).await.remove(0).expect("the store to answer") {
            Claim::Announce(claim) => return (store, claim.id),
            Claim::Nothing => panic!("an origin has claimed it"),
            Claim::Wait(_) => _ = poll.tick().await,
        }
    }
}

/// Appends events and announces them, as an origin does whose publish is lost.
async fn lose_events(chain: &Chain, numbers: impl IntoIterator<Item = u64>) {
    let event = |number: u64| JsonText::parse(number.to_string().as_bytes()).expect("JSON");
    let (store, id) = claim_events(chain, numbers.into_iter().map(event).collect(), SOON).await;
    store.acknowledge(vec![(feed(), id)]).await.expect("taken out");
}

#[tokio::test]
async fn a_deleted_feed_is_one_gap_for_listeners_that_a_proxy_holds() {
    let secret = NewSecret::generate().expect("random numbers");
    let keys = keys(&secret).replace("write:routes/\"", "write:routes/\", \"manage:routes/\"");
    let chain = Chain::with(2, &[("LIVECOUNTER__KEYS", &keys)], Options::default()).await;
    let (address, key) = (&chain.origins[0].address, secret.expose());
    let mut listener = connect(&chain.pushpin, key, "/live/chat").await;
    drop_event(address, key, "chat", 0).await;
    expect(&mut listener, 0, SOON).await;
    let url = chain.pushpin.url("/feed/chat");
    assert_eq!(client().delete(url).bearer_auth(key).answer().await.status(), 204);
    let gap = listener.next(SOON).await;
    assert_eq!(gap.event.as_deref(), Some("gap"), "{}", gap.data);
    assert!(gap.data.contains("\"deleted\""), "{}", gap.data);
    // Pushpin asks after 15 to 30 s of silence what the listener has missed: nothing.
    assert_eq!(listener.try_next(Duration::from_secs(32)).await, None);
    drop_event(&chain.origins[1].address, key, "chat", 1).await;
    expect(&mut listener, 1, SOON).await;
}

#[tokio::test]
async fn events_that_a_killed_origin_had_claimed_are_announced_by_another() {
    let secret = NewSecret::generate().expect("random numbers");
    let chain = Chain::with(1, &[("LIVECOUNTER__KEYS", &keys(&secret))], Options::default()).await;
    let (address, key) = (&chain.origins[0].address, secret.expose());
    let mut listener = connect(&chain.pushpin, key, "/live/chat").await;
    let mut below = connect(&chain.pushpin, key, "/live/*").await;
    drop_event(address, key, "chat", 0).await;
    for listener in [&mut listener, &mut below] {
        expect(listener, 0, SOON).await;
    }
    let events = ["1", "2"].map(|text| JsonText::parse(text.as_bytes()).expect("JSON"));
    claim_events(&chain, events.to_vec(), Duration::from_millis(500)).await;
    for listener in [&mut listener, &mut below] {
        expect(listener, 1, SOON).await;
        expect(listener, 2, SOON).await;
    }
}

#[tokio::test]
async fn a_recovery_and_an_opening_have_all_bytes_that_a_feed_keeps() {
    let secret = NewSecret::generate().expect("random numbers");
    let chain = Chain::with(1, &[("LIVECOUNTER__KEYS", &keys(&secret))], Options::default()).await;
    let (address, key) = (&chain.origins[0].address, secret.expose());
    let mut listener = connect(&chain.pushpin, key, "/live/chat").await;
    drop_event(address, key, "chat", 0).await;
    expect(&mut listener, 0, SOON).await;
    let large = |number: usize| format!("\"{number}{}\"", "é".repeat(8_000));
    let events = (0..15).map(|number| JsonText::parse(large(number).as_bytes()).expect("JSON"));
    let (store, id) = claim_events(&chain, events.collect(), SOON).await;
    store.acknowledge(vec![(feed(), id)]).await.expect("taken out");
    drop_event(address, key, "chat", 1).await;
    for number in 0..15 {
        assert!(listener.next(SOON).await.data == large(number), "number {number}");
    }
    expect(&mut listener, 1, SOON).await;
    let mut returned = connect(&chain.pushpin, key, "/live/chat?last=16").await;
    for number in 0..15 {
        assert!(returned.next(SOON).await.data == large(number), "number {number}");
    }
    drop_event(address, key, "chat", 2).await;
    for listener in [&mut returned, &mut listener] {
        let rest = listener.until_data("2", SOON).await;
        assert!(rest.len() <= 2, "{} events", rest.len());
    }
}

#[tokio::test]
async fn lost_publishes_of_events_heal_with_the_next_one_and_after_a_silence() {
    let secret = NewSecret::generate().expect("random numbers");
    let chain = Chain::with(1, &[("LIVECOUNTER__KEYS", &keys(&secret))], Options::default()).await;
    let (address, key) = (&chain.origins[0].address, secret.expose());
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(connect(&chain.pushpin, key, "/live/chat").await);
    }
    drop_event(address, key, "chat", 0).await;
    for listener in &mut listeners {
        expect(listener, 0, SOON).await;
    }
    for number in 1..=3 {
        lose_events(&chain, [number]).await;
    }
    drop_event(address, key, "chat", 4).await;
    for listener in &mut listeners {
        for number in 1..=4 {
            expect(listener, number, SOON).await;
        }
    }
    lose_events(&chain, [5]).await;
    for listener in &mut listeners {
        expect(listener, 5, HEALED).await;
    }
    drop_event(address, key, "chat", 6).await;
    for listener in &mut listeners {
        expect(listener, 6, SOON).await;
    }
}

#[tokio::test]
async fn a_recovery_has_all_that_a_feed_keeps_in_one_answer() {
    let secret = NewSecret::generate().expect("random numbers");
    let chain = Chain::with(1, &[("LIVECOUNTER__KEYS", &keys(&secret))], Options::default()).await;
    let (address, key) = (&chain.origins[0].address, secret.expose());
    let mut listener = connect(&chain.pushpin, key, "/live/chat").await;
    drop_event(address, key, "chat", 0).await;
    expect(&mut listener, 0, SOON).await;
    lose_events(&chain, 1..=900).await;
    drop_event(address, key, "chat", 901).await;
    for number in 1..=901 {
        expect(&mut listener, number, SOON).await;
    }
    let mut returned = connect(&chain.pushpin, key, "/live/chat?last=1000").await;
    for number in 0..=901 {
        expect(&mut returned, number, SOON).await;
    }
    // What is no longer kept is one gap, and then the stream goes on.
    lose_events(&chain, 902..=1950).await;
    drop_event(address, key, "chat", 1951).await;
    for listener in [&mut listener, &mut returned] {
        let gap = listener.next(SOON).await;
        assert_eq!(gap.event.as_deref(), Some("gap"), "{gap:?}");
        assert!(gap.data.contains("\"reason\":\"expired\""), "{}", gap.data);
    }
    drop_event(address, key, "chat", 1952).await;
    for listener in [&mut listener, &mut returned] {
        let next = listener.until_data("1952", SOON).await;
        assert!(next.len() <= 2, "{next:?}");
    }
}

/// A client that connects again with the id of the last event, as EventSource does.
async fn follow(address: std::net::SocketAddr, key: String, until: u64) -> Vec<(String, u64)> {
    let (mut seen, mut last): (Vec<(String, u64)>, Option<String>) = (Vec::new(), None);
    let bearer = format!("Bearer {key}");
    let deadline = Instant::now() + Duration::from_secs(120);
    while Instant::now() < deadline {
        let (bearer, id) = (bearer.clone(), last.clone());
        // While Pushpin is killed, connecting fails; the panic of this task is all that it does.
        let connecting = tokio::spawn(async move {
            let mut headers = vec![("Authorization", bearer.as_str())];
            headers.extend(id.as_deref().map(|id| ("Last-Event-ID", id)));
            Listener::connect_with(address, "/live/chat?last_event_id=0-0", &headers).await
        });
        let Some(mut listener) = connecting.await.ok().filter(|listener| listener.status() == 200) else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while let Some(Event { id, event, data }) = listener.try_next(HEALED).await {
            assert_eq!(event.as_deref(), Some("message"), "{data}");
            let id = id.expect("an id");
            seen.push((id.clone(), data.parse().expect("a number")));
            last = Some(id);
            if seen.last().is_some_and(|(_, number)| *number == until) {
                return seen;
            }
        }
    }
    panic!("after {} events {until} has not come", seen.len());
}

#[tokio::test]
async fn no_event_is_lost_or_doubled_while_parts_of_the_chain_are_killed() {
    let secret = NewSecret::generate().expect("random numbers");
    let settings = keys(&secret);
    let mut redis = RedisServer::start_with(&["--appendonly yes", "--appendfsync always"]);
    let ports = [Port::reserve(), Port::reserve()];
    let cache = Varnish::start(&[ports[0].addr(), ports[1].addr()]).await;
    let mut pushpin = Pushpin::start(cache.addr()).await;
    let (url, grip) = (redis.url(), pushpin.grip_url());
    let start = async |port: &Port| {
        let listen = port.addr().to_string();
        let settings = [
            ("REDIS_URL", url.as_str()),
            ("GRIP_URL", grip.as_str()),
            ("LIVECOUNTER__KEYS", settings.as_str()),
            ("LIVECOUNTER__LISTEN", listen.as_str()),
        ];
        TestApp::with(&settings).await
    };
    let (_first, second) = (start(&ports[0]).await, start(&ports[1]).await);
    cache.until_healthy(2).await;
    let addresses = ports.each_ref().map(|port| format!("http://{}", port.addr()));
    const ALL: u64 = 300;
    let followers: Vec<_> =
        (0..5).map(|_| tokio::spawn(follow(pushpin.addr(), secret.expose().to_owned(), ALL))).collect();
    let key = secret.expose().to_owned();
    let (taken, mut progress) = watch::channel(0);
    // So many events may be written before the next fault, however long the one before it lasts.
    let allowed = Arc::new(Semaphore::new(100));
    let permits = Arc::clone(&allowed);
    let writing = tokio::spawn(async move {
        for number in 1..=ALL {
            permits.acquire().await.expect("an open semaphore").forget();
            let mut address = addresses.iter().cycle().skip(number as usize % 2);
            while try_drop(address.next().expect("one"), &key, "chat", number).await.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            taken.send_replace(number);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut until_taken = async |number| {
        let reached = progress.wait_for(|taken| *taken >= number);
        timeout(HEALED, reached).await.expect("events in time").expect("a writer");
    };
    until_taken(50).await;
    pushpin.kill().await;
    pushpin.start_again().await;
    allowed.add_permits(70);
    until_taken(120).await;
    redis.kill();
    redis.run();
    allowed.add_permits(70);
    until_taken(190).await;
    allowed.add_permits(ALL as usize - 240);
    drop(second);
    writing.await.expect("the writer's end");
    let mut ids: HashMap<u64, String> = HashMap::new();
    for follower in followers {
        let seen = follower.await.expect("a follower's end");
        let numbers: Vec<u64> = seen.iter().map(|(_, number)| *number).collect();
        assert_eq!(numbers, (1..=ALL).collect::<Vec<_>>(), "in order, none left out, none twice");
        for (id, number) in seen {
            assert_eq!(*ids.entry(number).or_insert_with(|| id.clone()), id, "an event has one id");
        }
    }
}
