//! The feeds and entities of a world.

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::managers::Owner;

/// The routes that every client may read. The listeners of the others have a key.
pub(crate) const PUBLIC: &str = "open/*";

/// Something that drops are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The feed of this route.
    Feed(&'static str),
    /// The entity of this route, with this key.
    Entity(&'static str, &'static str),
}

impl Target {
    pub(crate) const ALL: [Target; 4] = [
        Target::Feed("open/chat"),
        Target::Feed("closed/chat"),
        Target::Entity("open/daily", "1"),
        Target::Entity("closed/daily", "2"),
    ];

    pub(crate) fn is_feed(self) -> bool {
        matches!(self, Target::Feed(_))
    }

    pub(crate) fn is_open(self) -> bool {
        let (Target::Feed(route) | Target::Entity(route, _)) = self;
        route.starts_with("open/")
    }

    /// The name of its topic, with which the ids of its events begin.
    pub(crate) fn name(self) -> String {
        match self {
            Target::Feed(route) => format!("feed-{route}"),
            Target::Entity(route, key) => format!("entity-{route}/{key}"),
        }
    }

    /// The path of its stream.
    pub(crate) fn stream(self) -> String {
        match self {
            Target::Feed(route) => format!("/live/{route}"),
            Target::Entity(route, key) => format!("/entity/{route}/{key}"),
        }
    }

    /// The drop that a writer sends for the `number`th time: an event, or a merge that changes three fields in one step.
    pub(crate) fn drop(self, writer: &str, number: u64) -> Value {
        match self {
            Target::Feed(route) => json!({"route": route, "payload": {"by": writer, "n": number}}),
            Target::Entity(route, key) => {
                let (added, last) = (format!("+{writer}"), format!("last {writer}"));
                json!({"route": route, "key": key, "payload": {"+total": 1, added: 1, last: number}})
            }
        }
    }

    /// The request that sends it.
    pub(crate) fn request(
        self,
        client: &Client,
        base: &str,
        owner: &Owner,
        writer: &str,
        number: u64,
    ) -> RequestBuilder {
        let request = client.post(format!("{base}/drop")).bearer_auth(owner.secret());
        request.json(&self.drop(writer, number))
    }

    /// The request that deletes all events of the feed, or the entity.
    pub(crate) fn deletion(self, client: &Client, base: &str, owner: &Owner) -> RequestBuilder {
        let request = match self {
            Target::Feed(route) => client.delete(format!("{base}/feed/{route}")),
            Target::Entity(route, key) => client
                .post(format!("{base}/drop"))
                .json(&json!({"route": route, "key": key, "payload": null})),
        };
        request.bearer_auth(owner.secret())
    }

    /// The position of the feed (`epoch-revision`), or the payload of the entity, as an origin answers; `None` if the origin does not answer.
    pub(crate) async fn state(self, client: &Client, base: &str, owner: &Owner) -> Option<Value> {
        let member = if self.is_feed() { "position" } else { "payload" };
        self.answer(client, base, owner).await.map(|answer| answer[member].clone())
    }

    /// What an origin answers of the feed or the entity; `null` if there is no such entity, and `None` if the origin does not answer.
    pub(crate) async fn answer(self, client: &Client, base: &str, owner: &Owner) -> Option<Value> {
        let path = match self {
            Target::Feed(route) => format!("/feed/{route}?limit=1"),
            Target::Entity(..) => self.stream(),
        };
        let answer = client.get(format!("{base}{path}")).bearer_auth(owner.secret()).send().await.ok()?;
        match answer.status().as_u16() {
            200 => answer.json().await.ok(),
            404 => Some(Value::Null),
            _ => None,
        }
    }
}
