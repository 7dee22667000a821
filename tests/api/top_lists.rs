//! `/nocount/top`: the pages and the sites with the most hits.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client, header};

/// Counts as many hits of pages as the numbers say.
async fn visit(address: &str, pages: &[(&str, usize)]) {
    for (page, hits) in pages {
        for _ in 0..*hits {
            assert_eq!(client().get(format!("{address}/count?url={page}")).answer().await.status(), 200);
        }
    }
}

/// The names and the numbers of a list.
async fn listed(address: &str, query: &str) -> Vec<(String, i64)> {
    let json: Value =
        client().get(format!("{address}/nocount/top{query}")).answer().await.json().await.expect("JSON");
    let entry = |entry: &Value| {
        let name = entry["page"].as_str().or(entry["site"].as_str()).expect("a name");
        (name.to_owned(), entry["value"].as_i64().expect("a number"))
    };
    json.as_array().expect("a list").iter().map(entry).collect()
}

fn owned(entries: &[(&str, i64)]) -> Vec<(String, i64)> {
    entries.iter().map(|(name, value)| (name.to_string(), *value)).collect()
}

#[tokio::test]
async fn pages_and_sites_are_listed_by_their_hits() {
    on_each_deployment(&[], async |app: &Deployment| {
        let address = &app.address;
        visit(address, &[("b.example/x", 2), ("a.example", 1), ("b.example:81/", 3), ("b.example/y", 4)])
            .await;
        let pages = [("b.example/y", 4), ("b.example:81", 3), ("b.example/x", 2), ("a.example", 1)];
        // Both origins read the list for the first time.
        for _ in 0..2 {
            assert_eq!(listed(address, "").await, owned(&pages));
        }
        assert_eq!(listed(address, "?of=pages&limit=2").await, owned(&pages[..2]));
        let sites = [("b.example", 6), ("b.example:81", 3), ("a.example", 1)];
        assert_eq!(listed(address, "?of=sites").await, owned(&sites));
        let lines = client().get(format!("{address}/nocount/top?of=sites")).header("accept", "text/plain");
        assert_eq!(lines.text().await, "b.example 6\nb.example:81 3\na.example 1\n");
        let answer = client().get(format!("{address}/nocount/top?of=sites&limit=1")).answer().await;
        for (name, expected) in
            [("content-type", "application/json"), ("cache-control", "no-cache"), ("vary", "accept")]
        {
            assert_eq!(header(&answer, name), expected, "{name}");
        }
        let etag = header(&answer, "etag").to_owned();
        assert_eq!(
            answer.json::<Value>().await.expect("JSON"),
            json!([{"site": "b.example", "topic": "site-b.example", "value": 6}])
        );
        let again = client()
            .get(format!("{address}/nocount/top?of=sites&limit=1"))
            .header("if-none-match", etag)
            .answer()
            .await;
        assert_eq!(again.status(), 304);
    })
    .await;
}

#[tokio::test]
async fn pages_with_as_many_hits_have_a_stable_order() {
    on_each_deployment(&[], async |app: &Deployment| {
        let pages: Vec<String> = (0..9).map(|n| format!("a.example/{n}")).collect();
        visit(&app.address, &pages.iter().map(|page| (page.as_str(), 1)).collect::<Vec<_>>()).await;
        let json = client().get(format!("{}/nocount/top", app.address)).text().await;
        let topics: Vec<&str> = json.split("\"topic\":\"").skip(1).map(|rest| &rest[..27]).collect();
        assert_eq!(topics.len(), 9);
        assert!(topics.is_sorted(), "{json}");
    })
    .await;
}

#[tokio::test]
async fn what_is_ignored_counts_but_is_not_listed() {
    let settings = [
        ("LIVECOUNTER__HITS__TOP_IGNORE", r"^hidden\.|/private/|^b\.example$"),
        ("LIVECOUNTER__HITS__TOP_PAGES", "3"),
    ];
    on_each_deployment(&settings, async |app: &Deployment| {
        let address = &app.address;
        let pages = [
            ("hidden.example/a", 5),
            ("a.example/private/x", 4),
            ("b.example", 3),
            ("b.example/c", 2),
            ("a.example", 1),
        ];
        visit(address, &pages).await;
        assert_eq!(listed(address, "").await, owned(&[("b.example/c", 2), ("a.example", 1)]));
        assert_eq!(listed(address, "?of=sites").await, owned(&[("a.example", 5)]));
        for (page, hits) in pages {
            let read = client().get(format!("{address}/nocount?url={page}")).text().await;
            assert_eq!(read, hits.to_string(), "{page}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_may_not_be_counted_any_more_is_not_listed() {
    let directory = tempfile::tempdir().expect("a directory");
    let app = TestApp::in_directory(directory.path(), &[]).await;
    visit(&app.address, &[("a.example/x", 3), ("b.example/x", 2), ("a.example/y", 1)]).await;
    assert!(app.stop().await);
    let deny =
        TestApp::in_directory(directory.path(), &[("LIVECOUNTER__HITS__DENY", "b\\.example|/y")]).await;
    assert_eq!(listed(&deny.address, "").await, owned(&[("a.example/x", 3)]));
    assert_eq!(listed(&deny.address, "?of=sites").await, owned(&[("a.example", 4)]));
    assert!(deny.stop().await);
    let allow =
        TestApp::in_directory(directory.path(), &[("LIVECOUNTER__HITS__ALLOW", "^b\\.example/")]).await;
    assert_eq!(listed(&allow.address, "").await, owned(&[("b.example/x", 2)]));
    assert_eq!(listed(&allow.address, "?of=sites").await, owned(&[("b.example", 2)]));
}

#[tokio::test]
async fn a_list_is_as_long_as_the_settings_allow() {
    let app =
        TestApp::with(&[("LIVECOUNTER__HITS__TOP_PAGES", "2"), ("LIVECOUNTER__HITS__TOP_SITES", "0")]).await;
    visit(&app.address, &[("a.example/x", 3), ("a.example/y", 2), ("a.example/z", 1)]).await;
    assert_eq!(listed(&app.address, "").await, owned(&[("a.example/x", 3), ("a.example/y", 2)]));
    let limit = "limit must be a whole number from 1 to 2, in plain digits";
    for (query, status, expected) in [
        ("?limit=3", 400, limit),
        ("?limit=1e9", 400, limit),
        ("?limit=-1", 400, limit),
        ("?limit=0", 400, limit),
        ("?limit=01", 400, limit),
        ("?limit=", 400, limit),
        ("?limit=99999999999999999999999", 400, limit),
        ("?of=x", 400, "of must be pages or sites"),
        ("?of=pages&of=pages", 400, "of is given twice"),
        ("?url=a.example", 400, "unknown parameter \\\"url\\\""),
        ("?of=sites", 404, "hits.top_sites is 0"),
    ] {
        let answer = client().get(format!("{}/nocount/top{query}", app.address)).answer().await;
        assert_eq!(answer.status(), status, "{query}");
        let problem = answer.text().await.expect("a text");
        assert!(problem.contains(expected), "{query} {problem}");
    }
    let stream = client()
        .get(format!("{}/nocount/top", app.address))
        .header("accept", "text/event-stream")
        .answer()
        .await;
    assert_eq!(stream.status(), 406);
    let off = TestApp::with(&[("LIVECOUNTER__HITS__ENABLED", "false")]).await;
    assert_eq!(client().get(format!("{}/nocount/top", off.address)).answer().await.status(), 404);
}
