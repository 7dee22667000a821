//! Where writing needs a key: all places of a request where a key or a ticket may be, and the refusals of the others.

use livecounter::access::NewSecret;
use reqwest::RequestBuilder;

use crate::access::{TICKET_KEY, ticket, told};
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::client;
use crate::support::keys::{key_table, secret};

/// A service that needs a key for writing to all counters but those whose ids begin with `public-`.
struct Shop<'a> {
    app: &'a Deployment,
    /// The key that may write to `shop-1`.
    shop: &'a NewSecret,
    /// The key that may not write to `shop-1`, but to `2`.
    other: &'a NewSecret,
}

/// Runs a test of such a service on each deployment.
async fn on_each(test: impl AsyncFn(&Shop)) {
    let (shop, other) = (secret(), secret());
    let keys = format!(
        "{}{}",
        key_table("shop", &shop, r#"["write:counters/shop-"]"#),
        key_table("other", &other, r#"["manage:counters/2/", "read:"]"#)
    );
    let settings = [
        ("LIVECOUNTER__ACCESS__WRITE", "key anyone:counters/public-"),
        ("LIVECOUNTER__ACCESS__TICKET_KEY", TICKET_KEY),
        ("LIVECOUNTER__KEYS", &keys),
    ];
    let (shop, other) = (&shop, &other);
    on_each_deployment(&settings, async |app| test(&Shop { app, shop, other }).await).await;
}

impl Shop<'_> {
    fn post(&self, query: &str) -> RequestBuilder {
        client().post(format!("{}{query}", self.app.counter("shop-1")))
    }

    async fn accepts_a_key_and_a_ticket_in_each_place(&self) {
        let (post, good) = (|query: &str| self.post(query), self.shop.expose());
        for (request, expected) in [
            (post("").bearer_auth(good), "1\n"),
            (post("").header("authorization", format!("bearer {good}")), "2\n"),
            (post("").header("x-ocean-key", good), "3\n"),
            (post(&format!("?_key={good}")), "4\n"),
            (post(&format!("?by=5&_key={good}")), "9\n"),
            (post("").bearer_auth(ticket("write:counters/shop-1/")), "10\n"),
            (post(&format!("?_ticket={}", ticket("manage:"))), "11\n"),
            // A key that may write may add any amount.
            (post("?by=1000000").bearer_auth(good), "1000011\n"),
            (post("").basic_auth("a", Some("b")).header("x-ocean-key", good), "1000012\n"),
        ] {
            assert_eq!(told(request).await, (200, expected.to_owned()));
        }
    }

    async fn refuses_missing_and_unknown_keys(&self) {
        let (post, good) = (|query: &str| self.post(query), self.shop.expose());
        let missing = "this needs a key or a ticket with the scope write:counters/shop-1/ (Authorization: Bearer, \
                       X-Ocean-Key, or _key or _ticket in the query)";
        let unknown = "the key is not known here; this needs one with the scope write:counters/shop-1/";
        let forged = "the ticket is not signed with access.ticket_key, or is no JWT with exp and a list of scopes; this \
                      needs one with the scope write:counters/shop-1/";
        let mut wrong_id = good.to_owned();
        wrong_id.replace_range(3..11, self.other.id());
        for (request, expected) in [
            (post(""), missing),
            (post("").basic_auth("a", Some("b")), missing),
            (post("").bearer_auth(&wrong_id), unknown),
            (post("").bearer_auth(&good[..good.len() - 1]), unknown),
            (post("").bearer_auth("x".repeat(5_000)), unknown),
            (post("").bearer_auth(""), unknown),
            (post("").header("x-ocean-key", "caf\u{e9}"), unknown),
            (post("?_key="), unknown),
            (post("?_key=%00"), unknown),
            (post("").bearer_auth(format!("{}x", ticket("admin"))), forged),
        ] {
            assert_eq!(told(request).await, (401, expected.to_owned()));
        }
    }

    async fn refuses_other_keys_and_several_keys(&self) {
        let (good, other) = (self.shop.expose(), self.other.expose());
        let lacking = |what: &str| format!("{what} does not have the scope write:counters/shop-1/");
        let several = "the request has several different keys or tickets: send one, as Authorization: Bearer, X-Ocean-Key, \
                       or _key or _ticket in the query";
        for (request, expected) in [
            (self.post("").bearer_auth(other), (403, lacking("the key other"))),
            (self.post("").bearer_auth(ticket("read:")), (403, lacking("the ticket"))),
            (self.post(&format!("?_key={good}")).bearer_auth(other), (400, several.to_owned())),
        ] {
            assert_eq!(told(request).await, expected);
        }
    }
}

#[tokio::test]
async fn where_a_key_is_needed_401_and_403_name_the_scope() {
    on_each(async |shop| {
        shop.accepts_a_key_and_a_ticket_in_each_place().await;
        shop.refuses_missing_and_unknown_keys().await;
        shop.refuses_other_keys_and_several_keys().await;
        let read = told(client().get(shop.app.counter("shop-1"))).await;
        assert_eq!(read, (200, "1000012\n".to_owned()), "reading is public");
        let opened = told(client().post(shop.app.counter("public-1"))).await;
        assert_eq!(opened, (200, "1\n".to_owned()), "a rule opens this");
        let other = client().post(shop.app.counter("2")).bearer_auth(shop.other.expose());
        assert_eq!(told(other).await, (200, "1\n".to_owned()));
        assert_eq!(shop.app.metric("requests_refused_total{reason=\"access\"}").await, 12.0);
    })
    .await;
}
