//! The list of counters: its order, its pages, its parameters, its validators.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Managed, deleted, on_each};
use crate::access::told;
use crate::support::http::{Ask, client, header};
use crate::support::server::Server;

/// 114 counters, in the order of the bytes of their ids. The value of each is its place in that order, from 0.
async fn fill(service: &Managed<'_>) -> Vec<String> {
    let mut ids: BTreeSet<String> = (0..110).map(|n| format!("n{n}")).collect();
    ids.extend(["A", "a.b", "axb", "~"].map(str::to_owned));
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(told(service.set(id, n as i64)).await.0, 200);
    }
    ids.into_iter().collect()
}

fn listed(page: &Value) -> Vec<String> {
    let counters = page["counters"].as_array().expect("a list");
    counters.iter().map(|counter| counter["id"].as_str().expect("an id").to_owned()).collect()
}

async fn check_pages(service: &Managed<'_>, ids: &[String]) {
    let first = service.page("").await;
    assert_eq!(listed(&first), ids[..100], "without parameters, the first hundred");
    assert_eq!(first["counters"][1], json!({"id": ids[1], "value": 1}));
    assert_eq!(first["after"], json!(ids[99]));
    let (mut found, mut query) = (Vec::new(), "?limit=7".to_owned());
    while !query.is_empty() {
        let answer = service.list(&query).header("accept", "application/json").answer().await;
        let next = header(&answer, "link").to_owned();
        let page: Value = answer.json().await.expect("JSON");
        query = page["after"].as_str().map_or(String::new(), |after| format!("?limit=7&after={after}"));
        let expected = page["after"].as_str().map_or(String::new(), |after| {
            format!("</counters/?prefix=&after={after}&limit=7>; rel=\"next\"")
        });
        assert_eq!(next, expected);
        found.extend(listed(&page));
    }
    assert_eq!(found, ids, "each once, in the order of the bytes of their ids");
    assert_eq!(service.page("?limit=1000").await["after"], Value::Null);
}

async fn check_prefixes(service: &Managed<'_>, ids: &[String]) {
    assert_eq!(told(service.list("?prefix=a.")).await, (200, "a.b 1\n".to_owned()), "a dot is a dot");
    assert_eq!(told(service.list("?prefix=n10&after=n105&limit=2")).await.1.lines().count(), 2);
    assert_eq!(told(service.list("?prefix=zz")).await, (200, String::new()));
    assert_eq!(service.page("?prefix=zz").await, json!({"counters": [], "after": null}));
    assert_eq!(told(service.list("?prefix=..")).await, (200, String::new()));
    let without_slash = client().get(format!("{}/counters?prefix=~", service.app.address));
    let value = ids.len() - 1;
    assert_eq!(told(without_slash.bearer_auth(service.key.expose())).await, (200, format!("~ {value}\n")));
}

async fn check_validators(service: &Managed<'_>) {
    let first = service.list("?prefix=~").answer().await;
    assert_eq!(header(&first, "cache-control"), "private, no-cache");
    assert!(first.headers().get("surrogate-control").is_none());
    let tag = header(&first, "etag").to_owned();
    let revalidated =
        async || service.list("?prefix=~").header("if-none-match", &tag).answer().await.status();
    assert_eq!(revalidated().await, 304);
    service.app.add("~").await;
    assert_eq!(revalidated().await, 200);
    deleted(service.delete("~")).await;
    assert_eq!(told(service.list("?prefix=~")).await, (200, String::new()));
}

#[tokio::test]
async fn counters_are_listed_in_order_and_by_pages() {
    on_each(&[], async |service| {
        let ids = fill(service).await;
        check_pages(service, &ids).await;
        check_prefixes(service, &ids).await;
        check_validators(service).await;
    })
    .await;
}

#[tokio::test]
async fn a_limit_of_the_list_is_a_whole_number_from_1_to_1000() {
    on_each(&[], async |service| {
        let many = "99999999999999999999";
        for limit in ["0", "1001", "1e9", "1000000000", many, "-1", "%2B1", "", "%D9%A5"] {
            let expected = "limit must be a whole number from 1 to 1000, in plain digits".to_owned();
            assert_eq!(told(service.list(&format!("?limit={limit}"))).await, (400, expected), "{limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn parameters_of_the_list_are_bounded_and_named() {
    on_each(&[], async |service| {
        service.app.add("1").await;
        let long = "a".repeat(10_000);
        let prefix = "prefix must be the beginning of ids, as plain text: ";
        for (query, expected) in [
            ("?limit=1&limit=2", "limit is given twice in the query"),
            ("?lmit=5", "the query has the unknown parameter \"lmit\"; did you mean limit?"),
            ("?sort=-value", "the query has the unknown parameter \"sort\"; there are prefix, after, limit"),
            (
                "?prefix=.*",
                &format!("{prefix}a counter id consists of A-Z a-z 0-9 . _ ~ -, character 2 is another"),
            ),
            ("?prefix=%5Ea", prefix),
            ("?prefix=(a%7Cb)%2B", prefix),
            ("?prefix=a%00", prefix),
            ("?prefix=%C3%A9", prefix),
            ("?prefix=%FF", prefix),
            ("?prefix=counters/1", prefix),
            (&format!("?prefix={long}"), &format!("{prefix}a counter id has at most 64 characters")),
            (
                "?after=a%0D%0Ab",
                "after must be an id: a counter id consists of A-Z a-z 0-9 . _ ~ -, character 2 is another",
            ),
            ("?after=%1B", "after must be an id: "),
            ("?after=", "after must be an id: a counter id must not be empty"),
            (&format!("?after={long}"), "after must be an id: a counter id has at most 64 characters"),
        ] {
            let (status, detail) = told(service.list(query)).await;
            assert_eq!(status, 400, "{query}: {detail}");
            assert!(detail.starts_with(expected), "{query}: {detail}");
        }
        let stream = service.list("").header("accept", "text/event-stream").answer().await;
        assert_eq!(stream.status(), 406);
        // Parameters with an underscore, which gateways and clients append, are ignored.
        assert_eq!(told(service.list("?_=1732&_x")).await, (200, "1 1\n".to_owned()));
    })
    .await;
}
