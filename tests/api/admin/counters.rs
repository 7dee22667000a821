//! The list of counters: searched, set and deleted by forms.

use std::time::Duration;

use super::{form, log_in, owner, page};
use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, header};
use crate::support::server::Server;
use crate::support::wait::until_within;

#[tokio::test]
async fn an_administrator_sets_and_deletes_counters_by_forms() {
    let (secret, keys) = owner();
    on_each_deployment(&[("LIVECOUNTER__KEYS", &keys)], async |app| {
        let cookie = log_in(app, &secret).await;
        let sent = async |fields: &[(&str, &str)]| {
            let answer = form(app, "/admin/counters", fields).header("cookie", &cookie).answer().await;
            (answer.status().as_u16(), header(&answer, "location").to_owned())
        };
        let back = |query: &str| (303, format!("/admin/counters?{query}"));
        let set = |value| [("action", "set"), ("id", "shop-1"), ("value", value), ("prefix", "shop-")];
        assert_eq!(sent(&set("-1234567")).await, back("prefix=shop-&changed=shop-1"));
        assert_eq!(app.read("shop-1").await, -1_234_567);
        let shown = async |path: &str| page(app, path).header("cookie", &cookie).text().await;
        let text = shown("/admin/counters?prefix=shop-&changed=shop-1").await;
        for expected in [
            "shop-1 is now \u{2212}1\u{202f}234\u{202f}567.",
            "data-topic=\"counter-shop-1\" data-value=\"-1234567\"",
            &format!("{}/counters/shop-1/badge.svg", app.address),
            &format!("{}/counters/shop-1/chart.svg", app.address),
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert_eq!(sent(&[("action", "delete"), ("id", "shop-1")]).await, back("changed=shop-1"));
        assert_eq!(app.read("shop-1").await, 0);
        assert!(!shown("/admin/counters").await.contains("data-topic=\"counter-shop-1\""));
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_on_the_page_and_changes_nothing() {
    let app = TestApp::with(&[("LIVECOUNTER__COUNTERS__KNOWN", "a, b")]).await;
    let set = |id, value| vec![("action", "set"), ("id", id), ("value", value)];
    for (fields, status, expected) in [
        (set("a/b", "1"), 400, "A counter id consists of"),
        (set("", "1"), 400, "counter id"),
        (set("c", "1"), 404, "There is no counter c here."),
        (set("a", ""), 400, "The value "),
        (set("a", "1.5"), 400, "The value "),
        (set("a", "9007199254740992"), 400, "The value "),
        (set("a", "1e400"), 400, "The value "),
        (vec![("action", "drop"), ("id", "a")], 400, "Action must be set or delete."),
        (vec![("id", "a")], 400, "Action must be set or delete."),
    ] {
        let answer = form(&app, "/admin/counters", &fields).answer().await;
        assert_eq!(answer.status(), status, "{fields:?}");
        let text = answer.text().await.expect("a page");
        let (_, rest) =
            text.split_once("<p class=\"problem\" role=\"alert\">").expect("a place for problems");
        let problem = rest.split_once('<').expect("an end").0;
        assert!(problem.to_lowercase().contains(&expected.to_lowercase()), "{fields:?}: {problem}");
    }
    assert_eq!((app.read("a").await, app.read("b").await), (0, 0));
    for (content_type, body, status) in [
        ("application/json", "{\"action\":\"delete\",\"id\":\"a\"}".to_owned(), 415),
        ("application/x-www-form-urlencoded", format!("id={}", "a".repeat(5000)), 413),
    ] {
        let request = form(&app, "/admin/counters", &[]).header("content-type", content_type).body(body);
        // reqwest adds a header to the one of the form, so only the new one is sent here.
        let mut request = request.build().expect("a request");
        request.headers_mut().insert("content-type", content_type.parse().expect("a header"));
        let answer = crate::support::http::client().execute(request).await.expect("an answer");
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn counters_are_searched_by_their_beginning_and_shown_by_pages() {
    let app = TestApp::spawn().await;
    for index in 0..25 {
        app.add(&format!("many-{index:02}")).await;
    }
    app.add("other").await;
    let shown = async |path: &str| page(&app, path).text().await;
    let first = shown("/admin/counters?prefix=many").await;
    assert_eq!(first.matches("data-topic=").count(), 20);
    assert!(first.contains("href=\"/admin/counters?prefix=many&#38;after=many-19\""), "{first}");
    let second = shown("/admin/counters?prefix=many&after=many-19").await;
    assert_eq!(second.matches("data-topic=").count(), 5);
    assert!(!second.contains("rel=\"next\"") && !second.contains("counter-other"));
    let none = shown("/admin/counters?prefix=zzz").await;
    assert!(none.contains("No counter begins with zzz."), "{none}");
    let hostile = page(&app, "/admin/counters?prefix=%22%3E%3Cscript%3E").answer().await;
    assert_eq!(hostile.status(), 400);
    let hostile = hostile.text().await.expect("a page");
    assert!(!hostile.contains("<script>") && hostile.contains("No id of a counter begins so"), "{hostile}");
    assert_eq!(page(&app, "/admin/counters?prefx=a").answer().await.status(), 400);
}

#[tokio::test]
async fn sites_and_pages_have_their_link_badge_and_chart_to_share() {
    let (secret, keys) = owner();
    on_each_deployment(&[("LIVECOUNTER__KEYS", &keys)], async |app| {
        let cookie = log_in(app, &secret).await;
        let shown = async |path: &str| page(app, path).header("cookie", &cookie).text().await;
        assert!(!shown("/admin/counters").await.contains("most hits"), "nothing was counted");
        for url in ["www.example.com/a%26b", "www.example.com/a%26b", "www.example.com/c"] {
            let hit = page(app, &format!("/count?url={url}")).header("user-agent", "Mozilla/5.0");
            assert_eq!(hit.answer().await.status(), 200);
        }
        let mut text = String::new();
        // Each list is kept by itself, for twenty times as long as the store took for it.
        until_within(Duration::from_secs(90), "both lists", async || {
            text = shown("/admin/counters").await;
            ["Sites with the most hits", "Pages with the most hits"].iter().all(|title| text.contains(title))
        })
        .await;
        let escaped = |path: &str| format!("{}{path}", app.address).replace('&', "&#38;");
        for expected in [
            escaped("/nocount/site?url=www.example.com"),
            escaped("/nocount/tag.svg?url=www.example.com&of=site"),
            escaped("/nocount/chart.svg?url=www.example.com&of=site"),
            escaped("/nocount?url=www.example.com%2Fa%26b"),
            escaped("/nocount/tag.svg?url=www.example.com%2Fa%26b"),
        ] {
            assert!(text.contains(&expected), "{expected}: {text}");
        }
        assert!(!shown("/admin/counters?prefix=a").await.contains("most hits"), "a search is for counters");
    })
    .await;
}
