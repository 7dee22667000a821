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

use crate::access::{secret, table};
use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header};

const SOON: Duration = Duration::from_secs(10);

/// A service with one key that may manage all counters.
struct Managed {
    app: TestApp,
    key: NewSecret,
}

impl Managed {
    async fn start(environment: &[(&str, &str)]) -> Managed {
        let key = secret();
        let app = origin(&key, environment).await;
        Managed { app, key }
    }

    fn set(&self, id: &str, value: i64) -> RequestBuilder {
        set(&self.app, &self.key, id, value)
    }

    fn delete(&self, id: &str) -> RequestBuilder {
        client().delete(self.app.counter(id)).bearer_auth(self.key.expose())
    }

    fn list(&self, query: &str) -> RequestBuilder {
        list(&self.app, &self.key, query)
    }

    async fn page(&self, query: &str) -> Value {
        self.list(query).header("accept", "application/json").answer().await.json().await.expect("JSON")
    }
}

async fn origin(key: &NewSecret, environment: &[(&str, &str)]) -> TestApp {
    let keys = table("owner", key, r#"["manage:counters/"]"#);
    TestApp::with(&[&[("LIVECOUNTER__KEYS", keys.as_str())], environment].concat()).await
}

fn set(app: &TestApp, key: &NewSecret, id: &str, value: i64) -> RequestBuilder {
    client().put(app.counter(id)).bearer_auth(key.expose()).json(&json!({ "value": value }))
}

fn list(app: &TestApp, key: &NewSecret, query: &str) -> RequestBuilder {
    client().get(format!("{}/counters/{query}", app.address)).bearer_auth(key.expose())
}

async fn deleted(request: RequestBuilder) {
    let answer = request.answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (204, "no-store"));
    assert_eq!(answer.text().await.expect("no body"), "");
}
