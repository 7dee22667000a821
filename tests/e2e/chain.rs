//! Pushpin's configuration, by itself and with the cache's: an origin of a few lines stands behind them.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::origin::{Origin, event};
use crate::support::process::repository;
use crate::support::pushpin::{Options, Pushpin};
use crate::support::sse::Listener;
use crate::support::varnish::Varnish;

const COUNTER: &str = "/counters/2/";
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_listener_behind_pushpin_gets_the_value_and_each_published_one() {
    let origin = Origin::start().await;
    let pushpin = Pushpin::start(origin.addr()).await;
    let mut listener = Listener::connect(pushpin.addr(), COUNTER).await;
    assert_eq!(listener.status(), 200);
    assert_eq!(listener.header("content-type"), "text/event-stream");
    assert_eq!(listener.header("grip-hold"), "", "the protocol's own headers stay inside");
    assert_eq!(listener.next(SOON).await.data, "26");

    pushpin.publish("counter-2", "e-27", "e-26", &event(27)).await;
    let next = listener.next(SOON).await;
    assert_eq!((next.id.as_deref(), next.event.as_deref()), (Some("2@e-27"), Some("message")));
    assert_eq!(next.data, "27");
}

#[tokio::test]
async fn pushpin_signs_what_it_forwards_and_names_the_client_truly() {
    let origin = Origin::start().await;
    let pushpin = Pushpin::start(origin.addr()).await;
    let forged = [("Grip-Sig", "forged"), ("X-Forwarded-For", "192.0.2.1")];
    let mut listener = Listener::connect_with(pushpin.addr(), COUNTER, &forged).await;
    listener.next(SOON).await;

    let request = origin.of_clients().pop().expect("a request");
    assert_eq!(request.header("x-forwarded-for"), "127.0.0.1");
    let signature = request.header("grip-sig");
    assert_eq!(signature.split('.').count(), 3, "a token of Pushpin's own, not {signature:?}");
}

#[tokio::test]
async fn a_listener_that_missed_an_item_is_healed_within_a_second_or_so() {
    let origin = Origin::start().await;
    let pushpin = Pushpin::start(origin.addr()).await;
    let mut listener = Listener::connect(pushpin.addr(), COUNTER).await;
    assert_eq!(listener.next(SOON).await.data, "26");

    // The item with 27 is never published; the item with 28 names it in its prev-id.
    origin.set_value(28);
    let published = Instant::now();
    pushpin.publish("counter-2", "e-28", "e-27", &event(28)).await;
    assert_eq!(listener.next(SOON).await.data, "28");
    assert!(published.elapsed() < Duration::from_secs(3), "message_wait of the configuration is in force");
    // If Pushpin still holds the item with 28, which does not fit any more, it drops this one, too, and asks once more.
    origin.set_value(29);
    pushpin.publish("counter-2", "e-29", "e-28", &event(29)).await;
    assert_eq!(listener.next(SOON).await.data, "29", "and it still listens");
}

#[tokio::test]
async fn three_listeners_through_the_cache_cost_one_origin_request() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let pushpin = Pushpin::start(cache.addr()).await;
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(Listener::connect(pushpin.addr(), COUNTER).await);
    }
    for listener in &mut listeners {
        assert_eq!(listener.next(SOON).await.data, "26");
    }
    let reads = origin.requests().into_iter().filter(|request| request.path == COUNTER).count();
    assert_eq!(reads, 1);

    pushpin.publish("counter-2", "e-27", "e-26", &event(27)).await;
    for listener in &mut listeners {
        assert_eq!(listener.next(SOON).await.data, "27", "a cached hold is a hold");
    }
}

#[test]
fn the_start_scripts_refuse_what_they_cannot_use() {
    let start = |arguments: &[&str], key: Option<&str>| {
        let mut command = Command::new(repository("pushpin/start"));
        command
            .args(arguments)
            .env_remove("GRIP_KEY")
            .env_remove("GRIP_KEY_FILE")
            .envs(key.map(|k| ("GRIP_KEY", k)));
        let output = command.output().expect("bash");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path().to_str().expect("a readable path");
    let (status, said) = start(&["--dir", dir], None);
    assert_eq!(status, Some(2));
    assert!(said.contains("GRIP_KEY"), "{said}");
    let (status, said) = start(&["--dir", dir, "mesage_wait=1"], Some("k"));
    assert_eq!(status, Some(2));
    assert!(said.contains("mesage_wait"), "{said}");
}

#[tokio::test]
async fn settings_reach_pushpin_as_they_are() {
    let origin = Origin::start().await;
    let sig_key = r"a/b&c\1|d e".to_owned();
    let settings = vec![("message_wait", "100".to_owned())];
    let options = Options { sig_key: sig_key.clone(), settings, ..Options::default() };
    let pushpin = Pushpin::with(origin.addr(), options).await;
    let written =
        std::fs::read_to_string(pushpin.process().dir().join("run/pushpin.conf")).expect("its configuration");
    assert!(written.contains(&format!("\nsig_key={sig_key}\n")), "{written}");
    assert!(written.contains("\nmessage_wait=100\n"));
}
