//! What ends a stream of events that the process holds, how a reader that never reads is treated, and what it shows of a feed that was deleted.

use std::time::Duration;

use livecounter::access::{AccessKey, Keys, NewSecret};
use serde_json::{Value, json};

use crate::crowd::{STUCK_FOR, ignore, until_held};
use crate::feeds::drop_event;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::keys::key_table;
use crate::support::server::Server;
use crate::support::sse::{Event, Listener};

const SOON: Duration = Duration::from_secs(15);
/// A stream asks every 10 s whether it is still allowed; the rest is for a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Appends an event, and returns its id.
async fn write(app: &TestApp, key: &NewSecret, number: u64) -> String {
    let request = client().post(format!("{}/drop", app.address)).bearer_auth(key.expose());
    let answer = request.json(&json!({"route": "app/chat", "payload": number})).answer().await;
    let answer: Value = answer.json().await.expect("JSON");
    answer["drop_id"].as_str().expect("an id").to_owned()
}

async fn listen(app: &TestApp, path: &str, key: &NewSecret) -> Listener {
    let bearer = format!("Bearer {}", key.expose());
    Listener::connect_with(app.addr, path, &[("Authorization", &bearer)]).await
}

async fn next(listener: &mut Listener) -> String {
    let Event { event, data, .. } = listener.next(SOON).await;
    assert_eq!(event.as_deref(), Some("message"), "{data}");
    data
}

async fn gap(listener: &mut Listener) -> Value {
    let Event { event, data, .. } = listener.next(SOON).await;
    assert_eq!(event.as_deref(), Some("gap"), "{data}");
    serde_json::from_str(&data).expect("JSON")
}

#[tokio::test]
async fn a_busy_stream_of_a_prefix_in_process_ends_with_its_key() {
    let [reader, other] = [(), ()].map(|()| NewSecret::generate().expect("random numbers"));
    let all = r#"["read:routes/app/", "write:routes/app/"]"#;
    let keys = key_table("reader", &reader, r#"["read:routes/app/"]"#) + &key_table("other", &other, all);
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    let mut withdrawn = listen(&app, "/live/app/*", &reader).await;
    let mut stays = listen(&app, "/live/app/*", &other).await;
    let write_on = async {
        for number in 1.. {
            write(&app, &other, number).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let ends = async {
        assert_eq!(next(&mut withdrawn).await, "1");
        let scopes = ["read:routes/app/", "write:routes/app/"].map(|scope| scope.parse().expect("a scope"));
        let left = AccessKey::new("other", other.id(), &other.sha256(), scopes.to_vec()).expect("a key");
        app.replace_keys(Keys::new(vec![left]).expect("keys"));
        assert!(withdrawn.ends(ENDS_WITHIN).await, "the stream goes on");
        for number in 1..=30 {
            assert_eq!(next(&mut stays).await, number.to_string());
        }
    };
    tokio::select! {
        () = write_on => {}
        () = ends => {}
    }
}

/// Whether the deletion is announced before the next event or together with it.
#[tokio::test]
async fn a_feed_deleted_and_written_again_at_once_shows_its_new_events() {
    let secret = NewSecret::generate().expect("random numbers");
    let keys = key_table("k", &secret, r#"["read:", "write:", "manage:"]"#);
    let settings = [("LIVECOUNTER__KEYS", keys.as_str()), ("LIVECOUNTER__PUBLISH__INTERVAL", "3s")];
    let app = TestApp::with(&settings).await;
    let write = async |number: u64| write(&app, &secret, number).await;
    let mut one = listen(&app, "/live/app/chat", &secret).await;
    let mut below = listen(&app, "/live/app/*", &secret).await;
    let first = write(1).await;
    for listener in [&mut one, &mut below] {
        assert_eq!(next(listener).await, "1");
    }
    let url = format!("{}/feed/app/chat", app.address);
    assert_eq!(client().delete(&url).bearer_auth(secret.expose()).answer().await.status(), 204);
    write(2).await;
    write(3).await;
    let told = gap(&mut one).await;
    let deletion = format!("feed-app/chat@{}", first.replace("-1", "-2"));
    assert_eq!((&told["reason"], &told["to"]), (&json!("deleted"), &json!(deletion)));
    assert!(["deleted", "prefix"].contains(&gap(&mut below).await["reason"].as_str().expect("a reason")));
    for listener in [&mut one, &mut below] {
        assert_eq!((next(listener).await, next(listener).await), ("2".into(), "3".into()));
    }
    let path = format!("/live/app/chat?last_event_id={first}");
    let mut returned = listen(&app, &path, &secret).await;
    assert_eq!(gap(&mut returned).await["to"], deletion);
    assert_eq!((next(&mut returned).await, next(&mut returned).await), ("2".into(), "3".into()));
}

#[tokio::test]
async fn a_reader_that_never_reads_holds_up_no_other_and_is_cut_off() {
    let app = TestApp::spawn().await;
    let idle = ignore(app.addr, "/live/chat").await;
    let mut reader = Listener::connect(app.addr, "/live/chat").await;
    let large = json!("x".repeat(16_000));
    for number in 0..500 {
        drop_event(&app.address, "chat", &large).await;
        if number % 50 == 49 {
            drop_event(&app.address, "chat", &json!(number)).await;
            reader.until_data(&number.to_string(), SOON).await;
        }
    }
    until_held(&app, 1, 3 * STUCK_FOR).await;
    drop(idle);
}

#[tokio::test]
async fn the_stream_of_all_public_feeds_has_nothing_of_the_service_itself() {
    let secret = NewSecret::generate().expect("random numbers");
    let keys = key_table("k", &secret, r#"["read:", "write:"]"#);
    let tally = ("LIVECOUNTER__ADMIN__TALLY", "true");
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys), ("LIVECOUNTER__PUBLIC", "*"), tally]).await;
    let mut all = Listener::connect(app.addr, "/live/*").await;
    assert_eq!(all.status(), 200);
    // The tally has written events of its own before ours is written.
    let mut own = listen(&app, "/live/_admin/*", &secret).await;
    app.get("/counters/1/").await;
    let told: Value = serde_json::from_str(&next(&mut own).await).expect("JSON");
    assert!(told["route"].is_string(), "{told}");
    write(&app, &secret, 1).await;
    assert_eq!(next(&mut all).await, "1");
    for path in ["/live/_admin/*", "/live/_admin/events", "/feed/_admin/events"] {
        assert_eq!(Listener::connect(app.addr, path).await.status(), 401, "{path}");
    }
}
