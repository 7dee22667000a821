//! Tests of the publisher with a server of their own: what is delivered, what happens when a request fails, and what is logged.

mod delivery;
mod failures;
mod logs;
mod queue;

use serde_json::Value;
use tokio::time::timeout;

use super::*;
use crate::grip::Retain;
use crate::test_server::{Answer, Request, TestServer};

const OK: Answer = Answer::Status(200, "", "Published\n");

fn item(channel: &str, id: u64) -> Item {
    let prev_id = Some((id - 1).to_string());
    let content = format!("data: {id}\n\n");
    Item {
        channel: channel.into(),
        id: id.to_string(),
        prev_id,
        content,
        first: false,
        retain: Retain::Latest,
    }
}

fn publisher_with(addresses: &[String], options: PublisherOptions) -> Publisher {
    let endpoints: Vec<Endpoint> = addresses.iter().map(|text| text.parse().expect("an endpoint")).collect();
    Publisher::new(&endpoints, &options).expect("a publisher")
}

fn publisher(addresses: &[String]) -> Publisher {
    publisher_with(addresses, PublisherOptions::default())
}

fn url(address: std::net::SocketAddr) -> String {
    format!("http://{address}/")
}

/// `channel id<prev` of each item of a request.
fn items(request: &Request) -> Vec<String> {
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line =
        |item: &Value| format!("{} {}<{}", text(&item["channel"]), text(&item["id"]), text(&item["prev-id"]));
    body["items"].as_array().expect("items").iter().map(line).collect()
}

fn all_items(server: &TestServer) -> Vec<String> {
    server.requests().iter().flat_map(items).collect()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(8), wait).await.unwrap_or_else(|_| panic!("{what}"));
}
