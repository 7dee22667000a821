//! Setting, deleting and listing counters: which keys may, the answers, and what listeners and other origins see of a change.

mod bad_values;
mod flood;
mod listeners;
mod listing;
mod scopes;
mod set_and_delete;

use std::time::Duration;

use livecounter::access::NewSecret;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};

const SOON: Duration = Duration::from_secs(10);

/// A service with one key that may manage all counters.
struct Managed<'a> {
    app: &'a Deployment,
    key: &'a NewSecret,
}

/// Runs a test with these settings and such a key on each deployment of the service.
async fn on_each(environment: &[(&str, &str)], test: impl AsyncFn(&Managed)) {
    let key = secret();
    let keys = owner(&key);
    let environment = [&[("LIVECOUNTER__KEYS", keys.as_str())], environment].concat();
    on_each_deployment(&environment, async |app| test(&Managed { app, key: &key }).await).await;
}

impl Managed<'_> {
    fn set(&self, id: &str, value: i64) -> RequestBuilder {
        set(&self.app.address, self.key, id, value)
    }

    fn delete(&self, id: &str) -> RequestBuilder {
        client().delete(self.app.counter(id)).bearer_auth(self.key.expose())
    }

    fn list(&self, query: &str) -> RequestBuilder {
        list(&self.app.address, self.key, query)
    }

    async fn page(&self, query: &str) -> Value {
        self.list(query).header("accept", "application/json").answer().await.json().await.expect("JSON")
    }
}

/// The table of a key that may manage all counters.
fn owner(key: &NewSecret) -> String {
    key_table("owner", key, r#"["manage:counters/"]"#)
}

async fn origin(key: &NewSecret, environment: &[(&str, &str)]) -> TestApp {
    let keys = owner(key);
    TestApp::with(&[&[("LIVECOUNTER__KEYS", keys.as_str())], environment].concat()).await
}

fn set(address: &str, key: &NewSecret, id: &str, value: i64) -> RequestBuilder {
    client()
        .put(format!("{address}/counters/{id}/"))
        .bearer_auth(key.expose())
        .json(&json!({ "value": value }))
}

fn list(address: &str, key: &NewSecret, query: &str) -> RequestBuilder {
    client().get(format!("{address}/counters/{query}")).bearer_auth(key.expose())
}

async fn deleted(request: RequestBuilder) {
    let answer = request.answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (204, "no-store"));
    assert_eq!(answer.text().await.expect("no body"), "");
}
