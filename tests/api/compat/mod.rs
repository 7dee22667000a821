//! The routes of other services, which are answered only on the hosts of the settings.

mod badge_rules;
mod badges;
mod busuanzi;
mod countapi;
mod countapi_writes;
mod hosts;
mod shields;

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use crate::support::http::{Ask, client};

/// A request with this path to the service at this address, for this host.
fn get(address: &str, host: &str, path: &str) -> RequestBuilder {
    client().get(format!("{address}{path}")).header("host", host)
}

/// The status and the JSON of an answer.
async fn json(answer: Response) -> (u16, Value) {
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

/// The status and the body of the answer.
async fn text(request: RequestBuilder) -> (u16, String) {
    let answer = request.answer().await;
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}
