//! Keys, set values, deletions and the past of counters at the edge.

use std::net::SocketAddr;

use livecounter::access::NewSecret;
use serde_json::json;

use super::SOON;
use crate::managing::{all_reads_show, owner};
use crate::support::edge::EdgeChain;
use crate::support::http::{Ask, client, header};
use crate::support::server::Server;
use crate::support::sse::Listener;
use crate::support::stream_checks::Checked;

/// The chain behind the edge, as clients reach it.
struct Public<'a>(&'a EdgeChain);

impl Server for Public<'_> {
    fn addr(&self) -> SocketAddr {
        self.0.edge.addr()
    }
}

/// A chain behind the edge, and its key that may manage all counters.
async fn managed(environment: &[(&str, &str)]) -> (EdgeChain, NewSecret) {
    let secret = NewSecret::generate().expect("random numbers");
    let keys = owner(&secret);
    (EdgeChain::start(&[&[("LIVECOUNTER__KEYS", keys.as_str())], environment].concat()).await, secret)
}

#[tokio::test]
async fn listeners_at_the_edge_see_set_values_and_deletions() {
    let (chain, secret) = managed(&[]).await;
    let service = Checked { server: &Public(&chain), key: secret.expose() };
    service.listeners_see_a_set_value_and_a_deletion().await;
    service.one_stream_shows_all_its_counters().await;
}

#[tokio::test]
async fn a_key_reaches_an_origin_from_the_edge_and_what_it_changes_is_read() {
    let (chain, secret) = managed(&[("LIVECOUNTER__ACCESS__WRITE", "key")]).await;
    let (url, key) = (chain.edge.url("/counters/2/"), secret.expose());
    for (value, request) in [
        (26, client().put(&url).bearer_auth(key)),
        (27, client().put(&url).header("x-ocean-key", key)),
        (28, client().put(format!("{url}?_key={key}"))),
    ] {
        let answer = request.json(&json!({ "value": value })).answer().await;
        assert_eq!(answer.text().await.expect("a text"), format!("{value}\n"));
        all_reads_show(&chain.edge.url(""), value).await;
    }
    let list = chain.edge.url("/counters/?prefix=2");
    assert_eq!(client().get(format!("{list}&_key={key}")).text().await, "2 28\n");
    for request in [client().post(&url), client().delete(&url).bearer_auth("lc_wrong"), client().get(&list)] {
        let refused = request.header("origin", "https://page.example").answer().await;
        assert_eq!(refused.status(), 401);
        assert!(header(&refused, "www-authenticate").starts_with("Bearer realm=\"livecounter\""));
        assert_eq!(header(&refused, "access-control-allow-origin"), "https://page.example");
    }
    let deleted = client().delete(format!("{url}?_key={key}")).answer().await;
    assert_eq!(deleted.status(), 204);
    all_reads_show(&chain.edge.url(""), 0).await;
}

/// A stream of 20 counters with the longest ids, whose names fill some kilobytes of its path, its channels and its link.
#[tokio::test]
async fn a_stream_of_twenty_counters_with_the_longest_ids_goes_on_at_the_edge() {
    let chain = EdgeChain::start(&[]).await;
    let ids: Vec<String> = (0..20).map(|id| format!("{id:0>64}")).collect();
    let path = format!("/counters/{}/", ids.join(","));
    let mut listener = Listener::connect(chain.edge.addr(), &path).await;
    assert_eq!(listener.status(), 200);
    for _ in &ids {
        assert_eq!(listener.next(SOON).await.data, "0");
    }
    for id in &ids {
        assert_eq!(Public(&chain).add(id).await, 1);
        let event = listener.next(SOON).await;
        assert_eq!((event.id.expect("an id").split('@').next(), event.data.as_str()), (Some(&**id), "1"));
    }
}
