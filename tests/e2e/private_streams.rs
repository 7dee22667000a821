//! Streams of entities through the whole chain: who may open them, and that they end when what allowed them is gone.

use std::time::Duration;

use livecounter::access::{AccessKey, Keys, NewSecret};
use serde_json::{Value, json};

use crate::support::chain::Chain;
use crate::support::http::client;
use crate::support::keys::{key_table, secret};
use crate::support::pushpin::Options;
use crate::support::sse::Listener;

const DEADLINE: Duration = Duration::from_secs(60);
/// A stream ends within a minute after its key is withdrawn; the rest is for a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(75);

/// How many writes it takes until Pushpin has asked for the recovery that follows a second after the first subscription of a channel: that one would end a stream, too.
const SETTLED: u64 = 20;

fn key(name: &str, secret: &NewSecret, scope: &str) -> AccessKey {
    let scopes = vec![scope.parse().expect("a scope")];
    AccessKey::new(name, secret.id(), &secret.sha256(), scopes).expect("a key")
}

async fn listen_to(chain: &Chain, path: &str, secret: &NewSecret) -> Listener {
    let bearer = format!("Bearer {}", secret.expose());
    let headers = [("accept", "text/event-stream"), ("authorization", bearer.as_str())];
    Listener::connect_with(chain.pushpin.addr(), path, &headers).await
}

async fn listen(chain: &Chain, secret: &NewSecret) -> Listener {
    listen_to(chain, "/entity/a/k", secret).await
}

#[tokio::test]
async fn a_held_stream_ends_when_its_key_is_withdrawn_and_others_stay() {
    let (reader, other) = (secret(), secret());
    let keys = key_table("reader", &reader, r#"["read:routes/a/"]"#)
        + &key_table("other", &other, r#"["read:routes/a/"]"#);
    let chain = Chain::with(2, &[("LIVECOUNTER__KEYS", &keys)], Options::default()).await;
    let mut withdrawn = listen(&chain, &reader).await;
    let mut stays = listen(&chain, &other).await;
    for listener in [&mut withdrawn, &mut stays] {
        assert_eq!(listener.status(), 200);
        assert_eq!(listener.header("cache-control"), "private, no-store, no-transform");
        listener.until_data("null", DEADLINE).await;
    }
    for origin in &chain.origins {
        origin.replace_keys(Keys::new(vec![key("other", &other, "read:routes/a/")]).expect("keys"));
    }
    assert!(withdrawn.ends(ENDS_WITHIN).await, "the stream goes on");
    assert_eq!(listen(&chain, &reader).await.status(), 401);
    assert!(!stays.ends(Duration::from_millis(1)).await);
}

/// Changes the entity and appends an event, every 300 ms, and never ends.
async fn write_on(chain: &Chain, writer: &NewSecret) {
    let drops = |number: u64| {
        [
            json!({"route": "a", "key": "k", "payload": {"n": number}}),
            json!({"route": "a", "payload": number}),
        ]
    };
    write_all(chain, writer, drops).await;
}

/// Writes these drops every 300 ms, and never ends.
async fn write_all<const N: usize>(chain: &Chain, writer: &NewSecret, drops: impl Fn(u64) -> [Value; N]) {
    let mut rest = tokio::time::interval(Duration::from_millis(300));
    for number in 1_u64.. {
        let origin = &chain.origins[number as usize % chain.origins.len()].address;
        for drop in drops(number) {
            let post = client().post(format!("{origin}/drop")).bearer_auth(writer.expose()).json(&drop);
            let status = post.send().await.expect("an answer").status();
            assert_eq!(status, 200, "{drop}");
        }
        rest.tick().await;
    }
}

#[tokio::test]
async fn busy_held_streams_end_with_their_key_and_others_miss_nothing() {
    let (reader, other) = (secret(), secret());
    let others = vec!["read:routes/a".parse().expect("a scope"), "write:routes/a".parse().expect("a scope")];
    let keys = key_table("reader", &reader, r#"["read:routes/a"]"#)
        + &key_table("other", &other, r#"["read:routes/a", "write:routes/a"]"#);
    let chain = Chain::with(2, &[("LIVECOUNTER__KEYS", &keys)], Options::default()).await;
    let mut entity = listen(&chain, &reader).await;
    let mut feed = listen_to(&chain, "/live/a", &reader).await;
    let (mut entity_stays, mut feed_stays) =
        (listen(&chain, &other).await, listen_to(&chain, "/live/a", &other).await);
    let withdraw = async {
        feed.until_data(&SETTLED.to_string(), DEADLINE).await;
        for origin in &chain.origins {
            let left = AccessKey::new("other", other.id(), &other.sha256(), others.clone()).expect("a key");
            origin.replace_keys(Keys::new(vec![left]).expect("keys"));
        }
        let ends = tokio::join!(entity.ends(ENDS_WITHIN), feed.ends(ENDS_WITHIN));
        assert_eq!(ends, (true, true), "the streams go on");
        // The streams that stay have been checked, too, and go on behind the check.
        let (mut number, mut last) = (0, 0);
        while number < 120 {
            number += 1;
            assert_eq!(feed_stays.next(DEADLINE).await.data, number.to_string(), "in order, none left out");
        }
        while last < 120 {
            let data = entity_stays.next(DEADLINE).await.data;
            let now = serde_json::from_str::<Value>(&data).expect("JSON")["n"].as_u64().unwrap_or_default();
            assert!(now >= last, "{now} behind {last}");
            last = now;
        }
    };
    tokio::select! {
        () = withdraw => {}
        () = write_on(&chain, &other) => {}
    }
}

#[tokio::test]
async fn a_busy_held_stream_of_a_prefix_ends_and_another_misses_nothing() {
    let (reader, other) = (secret(), secret());
    let scopes = ["read:routes/a/", "write:routes/a/"].map(|scope| scope.parse().expect("a scope")).to_vec();
    let (id, digest) = (other.id(), other.sha256());
    let keys = key_table("reader", &reader, r#"["read:routes/a/"]"#)
        + &key_table("other", &other, r#"["read:routes/a/", "write:routes/a/"]"#);
    let chain = Chain::with(2, &[("LIVECOUNTER__KEYS", &keys)], Options::default()).await;
    let mut withdrawn = listen_to(&chain, "/live/a/*", &reader).await;
    let mut stays = listen_to(&chain, "/live/a/*", &other).await;
    let withdraw = async {
        withdrawn.until_data(&format!("\"b{SETTLED}\""), DEADLINE).await;
        for origin in &chain.origins {
            let left = AccessKey::new("other", id, &digest, scopes.clone()).expect("a key");
            origin.replace_keys(Keys::new(vec![left]).expect("keys"));
        }
        assert!(withdrawn.ends(ENDS_WITHIN).await, "the stream goes on");
        // The other stream has been asked for at least twice by then, and each feed is whole and in order.
        let (mut b, mut c) = (0, 0);
        while b < 240 || c < 240 {
            let data = stays.next(DEADLINE).await.data;
            let last = if data.starts_with("\"b") { &mut b } else { &mut c };
            *last += 1;
            assert_eq!(data[2..], format!("{last}\""), "in order, none left out: {data}");
        }
    };
    let drops = |number: u64| {
        [
            json!({"route": "a/b", "payload": format!("b{number}")}),
            json!({"route": "a/c", "payload": format!("c{number}")}),
        ]
    };
    tokio::select! {
        () = withdraw => {}
        () = write_all(&chain, &other, drops) => {}
    }
}
