//! The list of counters: its order, its pages, its parameters, its validators.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Managed, deleted, on_each};
use crate::access::told;
use crate::support::http::{Ask, client, header};
use crate::support::server::Server;
use crate::support::wait::until_within;

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
        let exposed = header(&answer, "access-control-expose-headers");
        assert_eq!(exposed.ends_with(", link"), !next.is_empty(), "{exposed}");
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
    assert_eq!(service.page("?prefix=&after=").await, first);
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
            (
                "?order=-value",
                "the query has the unknown parameter \"order\"; there are prefix, after, limit, sort",
            ),
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

#[tokio::test]
async fn the_counters_with_the_greatest_values_come_first() {
    on_each(&[], async |service| {
        fill(service).await;
        let first = service.page("?sort=-value&limit=3").await;
        let expected =
            json!([{"id": "~", "value": 113}, {"id": "n99", "value": 112}, {"id": "n98", "value": 111}]);
        assert_eq!(first, json!({"counters": expected, "after": null}));
        let answer = service.list("?sort=-value&limit=2").answer().await;
        assert_eq!(header(&answer, "link"), "");
        assert_eq!(header(&answer, "cache-control"), "private, no-cache");
        assert_eq!(answer.text().await.expect("lines"), "~ 113\nn99 112\n");
        assert_eq!(told(service.list("?sort=-value&limit=2&prefix=a")).await.1, "axb 2\na.b 1\n");
        assert_eq!(service.page("?sort=-value").await["counters"].as_array().map(Vec::len), Some(100));
        // The answer is kept for twenty times as long as the store took for it, and is not kept for ever.
        assert_eq!(told(service.set("n0", 500)).await.0, 200);
        let changed = async || told(service.list("?sort=-value&limit=1")).await.1 == "n0 500\n";
        until_within(Duration::from_secs(90), "the kept answer to be read again", changed).await;
        for (query, says) in [
            ("?sort=value", "sort must be -value"),
            ("?sort=", "sort must be -value"),
            ("?sort=%2Dvalue%00", "sort must be -value"),
            ("?sort=-value&sort=-value", "sort is given twice"),
            ("?sort=-value&after=n1", "after has no meaning with sort=-value"),
            ("?sort=-value&limit=0", "limit must be a whole number"),
            ("?limit=05", "limit must be a whole number from 1 to 1000, in plain digits"),
            ("?sort=-value&limit=1e9", "limit must be a whole number"),
            ("?sort=-value&prefix=.*", "prefix must be the beginning of ids"),
        ] {
            let (status, detail) = told(service.list(query)).await;
            assert_eq!(status, 400, "{query}");
            assert!(detail.contains(says), "{query}: {detail}");
        }
        let without_key = client().get(format!("{}/counters/?sort=-value", service.app.address));
        assert_eq!(told(without_key).await.0, 401);
    })
    .await;
}

#[tokio::test]
async fn of_known_counters_those_with_the_greatest_values_come_first() {
    on_each(&[("LIVECOUNTER__COUNTERS__KNOWN", "1,2,3,4")], async |service| {
        for (id, value) in [("2", 5), ("3", -1), ("4", 5)] {
            assert_eq!(told(service.set(id, value)).await.0, 200);
        }
        assert_eq!(told(service.list("?sort=-value")).await.1, "2 5\n4 5\n1 0\n3 -1\n");
        assert_eq!(told(service.list("?sort=-value&limit=1")).await.1, "2 5\n");
    })
    .await;
}
