//! Several counters in one answer, and in one stream.

use std::time::Duration;

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, client, header};
use crate::support::server::Server;
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(10);

/// The counter and the value of an event.
fn told(event: &crate::support::sse::Event) -> (String, String) {
    let id = event.id.as_deref().expect("an id");
    (id.split_once('@').expect("a counter and a revision").0.to_owned(), event.data.clone())
}

fn pair(id: &str, value: &str) -> (String, String) {
    (id.to_owned(), value.to_owned())
}

#[tokio::test]
async fn several_counters_are_read_together_in_ascending_order() {
    on_each_deployment(&[], async |app| {
        app.add_by("2", 26).await;
        app.add_by("b", -3).await;
        for spelling in ["b,2,1", "1,2,b", "2,2,1,b", "b%2C1%2c2"] {
            let plain = client().get(app.counter(spelling)).text().await;
            assert_eq!(plain, "1 0\n2 26\nb -3\n", "{spelling}");
            let answer =
                client().get(app.counter(spelling)).header("accept", "application/json").text().await;
            let read: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
            let expected = json!([{"id":"1","value":0},{"id":"2","value":26},{"id":"b","value":-3}]);
            assert_eq!(read, expected, "{spelling}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_has_a_validator_that_changes_with_each_of_its_values() {
    on_each_deployment(&[], async |app| {
        let list = app.counter("1,2");
        let first = client().get(&list).answer().await;
        let tag = header(&first, "etag").to_owned();
        let again = client().get(&list).header("if-none-match", &tag).answer().await;
        assert_eq!((again.status().as_u16(), again.text().await.expect("a body").as_str()), (304, ""));
        app.add("2").await;
        let changed = client().get(&list).header("if-none-match", &tag).answer().await;
        assert_eq!(changed.status(), 200);
        assert_eq!(changed.text().await.expect("a body"), "1 0\n2 1\n");
    })
    .await;
}

#[tokio::test]
async fn one_stream_shows_the_changes_of_each_of_its_counters() {
    let app = TestApp::spawn().await;
    app.add_by("2", 26).await;
    let mut stream = Listener::connect(app.addr, "/counters/b,2,1/").await;
    let mut first = Vec::new();
    for _ in 0..3 {
        first.push(told(&stream.next(SOON).await));
    }
    assert_eq!(first, [pair("1", "0"), pair("2", "26"), pair("b", "0")]);
    assert!(stream.retry().is_some());
    for (id, value) in [("b", "1"), ("2", "27"), ("1", "1"), ("2", "28")] {
        app.add(id).await;
        assert_eq!(told(&stream.next(SOON).await), pair(id, value));
    }
    // A counter that is not in the list has no events in this stream.
    app.add("other").await;
    app.add("b").await;
    assert_eq!(told(&stream.next(SOON).await), pair("b", "2"));
}

#[tokio::test]
async fn a_busy_counter_keeps_back_no_other_of_its_stream() {
    let app = TestApp::with(&[("LIVECOUNTER__PUBLISH__INTERVAL", "0ms")]).await;
    let ids: Vec<String> = (0..20).map(|id| format!("c{id:02}")).collect();
    let mut stream = Listener::connect(app.addr, &format!("/counters/{}/", ids.join(","))).await;
    for _ in &ids {
        stream.next(SOON).await;
    }
    for id in &ids[1..] {
        for _ in 0..5 {
            app.add(&ids[0]).await;
        }
        app.add(id).await;
    }
    let mut last = std::collections::BTreeMap::new();
    while last.values().filter(|value| **value == 1).count() < 19 || last.get("c00") != Some(&95) {
        let (id, value) = told(&stream.next(SOON).await);
        let value: u32 = value.parse().expect("a number");
        let before = last.insert(id, value);
        assert!(before.is_none_or(|before| before < value), "never an older value: {last:?}");
    }
}

#[tokio::test]
async fn bad_lists_are_refused_and_say_why() {
    on_each_deployment(&[], async |app| {
        let twenty_one = (0..21).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
        for (list, says) in [
            ("1,", "must not be empty (number 2"),
            (",", "must not be empty (number 1"),
            ("1,1", "at least 2 different counters"),
            ("1,a%20b", "character 2 is another (number 2"),
            ("1,%C3%A9", "character 1 is another"),
            ("1,a%00", "character 2 is another"),
            ("1,..", "must not be . or .."),
            (twenty_one.as_str(), "at most 20 counters, this one names 21"),
            (&format!("1,{}", "x".repeat(65)), "at most 64 characters"),
            (&",".repeat(7_000), "at most 20 counters, this one names 7001"),
        ] {
            for accept in ["*/*", "text/event-stream"] {
                let answer = client().get(app.counter(list)).header("accept", accept).answer().await;
                assert_eq!(answer.status(), 400, "{list}");
                let detail = answer.text().await.expect("a problem");
                assert!(detail.contains(says), "{list}: {detail}");
            }
        }
        let answer = client().post(app.counter("1,2")).answer().await;
        assert_eq!(answer.status(), 400);
        assert!(answer.text().await.expect("a problem").contains("a list of counters can only be read"));
        assert_eq!(app.read("1").await, 0, "nothing was counted");
    })
    .await;
}

#[tokio::test]
async fn a_list_with_a_counter_that_is_not_known_is_404() {
    on_each_deployment(&[("LIVECOUNTER__COUNTERS__KNOWN", "1,2")], async |app| {
        assert_eq!(client().get(app.counter("1,2")).answer().await.status(), 200);
        let answer = client().get(app.counter("1,3")).answer().await;
        assert_eq!(answer.status(), 404);
        assert!(answer.text().await.expect("a problem").contains("there is no counter 3 here"));
    })
    .await;
}
