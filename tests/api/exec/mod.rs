//! `POST /exec` on the service itself: what commands answer, what they may do, and where a text stops.

mod document;
mod failures;

use reqwest::RequestBuilder;
use serde_json::Value;

use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client};
use crate::support::keys::{key_table, secret};

/// A running service with one key that may do everything.
struct Service<'a> {
    app: &'a Deployment,
    key: String,
}

impl Service<'_> {
    fn exec(&self, commands: &str) -> RequestBuilder {
        let request = client().post(format!("{}/exec", self.app.address));
        request.bearer_auth(&self.key).body(commands.to_owned())
    }

    /// The status and the body of the answer.
    async fn run(&self, commands: &str) -> (u16, Value) {
        let answer = self.exec(commands).answer().await;
        let (status, text) = (answer.status().as_u16(), answer.text().await.expect("a text"));
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    /// The fields of an entity; `null` if there is none.
    async fn fields(&self, route_and_key: &str) -> Value {
        match self.run(&format!("read {route_and_key}")).await {
            (200, answer) => answer["results"][0]["result"].clone(),
            (status, _) => {
                assert_eq!(status, 404);
                Value::Null
            }
        }
    }
}

/// Runs a test on each deployment, with a key that may do everything.
async fn with_key(test: impl AsyncFn(&Service<'_>)) {
    let secret = secret();
    let keys = key_table("all", &secret, r#"["admin"]"#);
    on_each_deployment(&[("LIVECOUNTER__KEYS", keys.as_str())], async |app| {
        test(&Service { app, key: secret.expose().to_owned() }).await;
    })
    .await;
}
