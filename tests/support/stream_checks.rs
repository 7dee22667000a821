//! What listeners are shown of counters that are set, deleted and listed. The checks run on one process, which holds its streams, and on two
//! origins behind a proxy and a cache.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::json;

use super::http::{Ask, client};
use super::server::Server;
use super::sse::Listener;

const SOON: Duration = Duration::from_secs(10);

/// A service, by the address at which clients reach it, and a key that may manage all its counters.
pub struct Checked<'a, S> {
    pub server: &'a S,
    pub key: &'a str,
}

impl<S: Server> Checked<'_, S> {
    fn url(&self, id: &str) -> String {
        format!("http://{}/counters/{id}/", self.server.addr())
    }

    async fn set(&self, id: &str, value: i64) {
        let answer = self.managed(client().put(self.url(id)).json(&json!({ "value": value }))).await;
        assert_eq!(answer, (200, format!("{value}\n")));
    }

    async fn delete(&self, id: &str) {
        assert_eq!(self.managed(client().delete(self.url(id))).await, (204, String::new()));
    }

    async fn managed(&self, request: RequestBuilder) -> (u16, String) {
        let answer = request.bearer_auth(self.key).answer().await;
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    /// Adds to a counter, and returns when the new value is published: who joins just before the publish is shown the value twice.
    async fn add_and_see_published(&self, id: &str, by: i64) {
        // The cache keeps the stream of a list apart from that of its counter.
        let mut observer = self.server.listen(&format!("{id},observed")).await;
        self.server.add_by(id, by).await;
        observer.until_data(&by.to_string(), SOON).await;
    }

    /// A listener is shown a value that is set, 0 after a deletion, and what follows; and so is one that comes later.
    pub async fn listeners_see_a_set_value_and_a_deletion(&self) {
        self.add_and_see_published("2", 26).await;
        let mut listener = self.server.listen("2").await;
        assert_eq!(listener.next(SOON).await.data, "26");
        self.set("2", 7).await;
        assert_eq!(shown(&mut listener, "7").await, ["7"]);
        self.delete("2").await;
        assert_eq!(shown(&mut listener, "0").await, ["0"]);
        let mut late = self.server.listen("2").await;
        assert_eq!(late.next(SOON).await.data, "0");
        // There is nothing to delete, so that listeners are shown nothing.
        self.delete("2").await;
        assert_eq!(self.server.add("2").await, 1);
        for listener in [&mut listener, &mut late] {
            assert_eq!(shown(listener, "1").await, ["1"]);
        }
    }

    /// One stream shows each change of all its counters, and of no other: additions, a set value, a deletion, and what follows on it.
    pub async fn one_stream_shows_all_its_counters(&self) {
        self.add_and_see_published("l2", 26).await;
        let mut stream = self.server.listen("l3,l2,l1").await;
        let mut opening = BTreeMap::new();
        for _ in 0..3 {
            opening.extend([next_of_several(&mut stream).await]);
        }
        let expected = [("l1", "0"), ("l2", "26"), ("l3", "0")];
        assert!(opening.iter().map(|(id, value)| (id.as_str(), value.as_str())).eq(expected), "{opening:?}");
        for (id, value) in [("l3", "1"), ("l2", "27"), ("l1", "1"), ("l2", "28")] {
            self.server.add(id).await;
            assert_eq!(next_of_several(&mut stream).await, (id.to_owned(), value.to_owned()));
        }
        self.server.add("other").await;
        self.set("l2", 7).await;
        assert_eq!(next_of_several(&mut stream).await, ("l2".to_owned(), "7".to_owned()));
        self.delete("l2").await;
        assert_eq!(next_of_several(&mut stream).await, ("l2".to_owned(), "0".to_owned()));
        for (id, value) in [("l1", "2"), ("l2", "1")] {
            self.server.add(id).await;
            assert_eq!(next_of_several(&mut stream).await, (id.to_owned(), value.to_owned()));
        }
    }
}

/// The values that a listener is shown until this one.
async fn shown(listener: &mut Listener, last: &str) -> Vec<String> {
    let events = listener.until_data(last, SOON).await;
    events.into_iter().map(|event| event.data).collect()
}

/// The counter and the value of the next event.
async fn next_of_several(stream: &mut Listener) -> (String, String) {
    let event = stream.next(SOON).await;
    let id = event.id.expect("an id");
    (id.split_once('@').expect("a counter and a revision").0.to_owned(), event.data)
}
