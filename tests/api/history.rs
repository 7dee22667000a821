//! The past of a counter: JSON, CSV and a picture.

use std::time::Duration;

use serde_json::Value;

use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client, header};
use crate::support::server::Server;

fn past(app: &Deployment, id: &str, query: &str) -> String {
    format!("{}/counters/{id}/history{query}", app.address)
}

fn chart(app: &Deployment, id: &str, query: &str) -> String {
    format!("{}/counters/{id}/chart.svg{query}", app.address)
}

/// The entries of a JSON answer.
async fn entries(url: &str) -> Vec<(String, Value, Value)> {
    let json: Value = serde_json::from_str(&client().get(url).text().await).expect("JSON");
    let entries = json["entries"].as_array().expect("entries");
    let entry = |entry: &Value| {
        let start = entry["start"].as_str().expect("a time").to_owned();
        (start, entry["value"].clone(), entry["added"].clone())
    };
    entries.iter().map(entry).collect()
}

/// Waits until the last announcement shows in the past.
pub(crate) async fn until_value(url: &str, value: i64) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let shown = async {
        while entries(url).await.last().expect("an entry").1 != value {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), shown).await.expect("the value to show");
}

#[tokio::test]
async fn the_past_has_each_hour_and_day_without_gaps() {
    on_each_deployment(&[], async |app| {
        let hours = past(app, "2", "");
        let zeros = entries(&hours).await;
        assert_eq!(zeros.len(), 48);
        assert!(zeros.iter().all(|(_, value, added)| (value, added) == (&0.into(), &0.into())), "{zeros:?}");
        app.add_by("2", 26).await;
        until_value(&hours, 26).await;
        app.add_by("2", -3).await;
        until_value(&hours, 23).await;
        for (url, most, ending) in [(&hours, 48, ":00:00Z"), (&past(app, "2", "?unit=day"), 60, "")] {
            let all = entries(url).await;
            assert_eq!(all.len(), most);
            assert!(
                all.iter().all(|(start, ..)| start.starts_with("20") && start.ends_with(ending)),
                "{all:?}"
            );
            let added: i64 = all.iter().map(|(_, _, added)| added.as_i64().expect("a number")).sum();
            assert_eq!((added, &all[0].1, &all[most - 1].1), (23, &0.into(), &23.into()));
        }
        let of_zone = past(app, "2", "?unit=day&tz=Europe/Berlin");
        let days = entries(&of_zone).await;
        assert_eq!((days.len(), &days[1].1), (2, &23.into()));
        let json = client().get(past(app, "2", "?last=1&tz=Asia/Kolkata")).text().await;
        assert!(
            json.starts_with("{\"id\":\"2\",\"unit\":\"hour\",\"tz\":\"Asia/Kolkata\",\"entries\":[{"),
            "{json}"
        );
        assert!(json.contains("+05:30\",\"value\":23,"), "{json}");
    })
    .await;
}

#[tokio::test]
async fn a_client_that_asks_for_a_table_gets_one() {
    on_each_deployment(&[], async |app| {
        app.add_by("-2", 5).await;
        until_value(&past(app, "-2", ""), 5).await;
        let asked =
            client().get(past(app, "-2", "?last=1&unit=day")).header("accept", "text/csv").answer().await;
        assert_eq!(header(&asked, "content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(header(&asked, "vary"), "accept");
        let table = asked.text().await.expect("a body");
        assert_eq!(client().get(past(app, "-2", "?format=csv&unit=day&last=1")).text().await, table);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, "day,value,added"));
        // The name of the counter, which a table program could take for a formula, is in no cell.
        assert!(lines[1].starts_with("20") && lines[1].ends_with(",5,5"), "{table}");
        let json = client().get(past(app, "-2", "?format=json")).header("accept", "text/csv").answer().await;
        assert_eq!(header(&json, "content-type"), "application/json");
        let refused = client().get(past(app, "-2", "")).header("accept", "image/png").answer().await;
        assert_eq!(refused.status(), 406);
        assert!(refused.text().await.expect("a body").contains("application/json and text/csv"));
    })
    .await;
}

#[tokio::test]
async fn the_picture_has_a_title_no_script_and_the_colours_asked_for() {
    on_each_deployment(&[], async |app| {
        app.add_by("a~b", 234).await;
        until_value(&past(app, "a~b", ""), 234).await;
        let answer = client().get(chart(app, "a~b", "")).header("accept", "image/*").answer().await;
        assert_eq!(header(&answer, "content-type"), "image/svg+xml");
        assert_eq!(
            header(&answer, "content-security-policy"),
            "default-src 'none'; style-src 'unsafe-inline'"
        );
        assert_eq!(header(&answer, "cache-control"), "no-cache");
        assert_eq!(header(&answer, "access-control-allow-origin"), "*");
        let svg = answer.text().await.expect("a body");
        assert!(svg.contains("<title id=\"t\">Counter a~b: 234</title><desc"), "{svg}");
        assert!(svg.contains("prefers-color-scheme:dark") && !svg.contains("script"), "{svg}");
        assert_eq!(client().get(chart(app, "a~b", "")).text().await, svg);
        let dark = client().get(chart(app, "a~b", "?theme=dark&form=bars&unit=day&last=7")).text().await;
        assert!(dark.contains("added in the last 7 days") && dark.contains("#58a6ff"), "{dark}");
        assert!(!dark.contains("prefers-color-scheme") && !dark.contains("#0969da"), "{dark}");
        assert_eq!(app.read("a~b").await, 234, "looking at it does not count");
    })
    .await;
}

#[tokio::test]
async fn a_client_that_has_the_past_already_gets_304() {
    on_each_deployment(&[], async |app| {
        app.add("2").await;
        let url = past(app, "2", "");
        until_value(&url, 1).await;
        for url in [&url, &chart(app, "2", "")] {
            let first = client().get(url).answer().await;
            let tag = header(&first, "etag").to_owned();
            let again = client().get(url).header("if-none-match", &tag).answer().await;
            assert_eq!((again.status().as_u16(), header(&again, "etag")), (304, tag.as_str()));
        }
        let before = header(&client().get(&url).answer().await, "etag").to_owned();
        app.add("2").await;
        until_value(&url, 2).await;
        let changed = client().get(&url).header("if-none-match", &before).answer().await;
        assert_eq!(changed.status(), 200);
    })
    .await;
}

#[tokio::test]
async fn a_purged_cache_may_keep_the_past_until_the_hour_ends() {
    let settings = [
        ("FASTLY_SERVICE_ID", "service"),
        ("FASTLY_API_KEY", "hush"),
        ("LIVECOUNTER__FASTLY__API_URL", "http://127.0.0.1:9"),
        ("LIVECOUNTER__CACHE__MAX_AGE", "2h"),
    ];
    on_each_deployment(&settings, async |app| {
        for url in [past(app, "2", ""), chart(app, "2", "?unit=hour")] {
            let answer = client().get(url).answer().await;
            assert_eq!(header(&answer, "surrogate-key"), "counter-2");
            let control = header(&answer, "surrogate-control");
            let (fresh, stale) = control.split_once(", ").expect("two parts");
            let seconds: u64 = fresh.strip_prefix("max-age=").expect("an age").parse().expect("a number");
            assert!((1..=3600).contains(&seconds), "{control}");
            assert_eq!(stale, "stale-if-error=86400");
        }
    })
    .await;
}

#[tokio::test]
async fn an_invalid_past_is_refused_by_name() {
    on_each_deployment(&[], async |app| {
        let long = "a".repeat(10_000);
        for (query, expected) in [
            ("?unit=", "unit must be hour or day"),
            ("?unit=week", "unit must be hour or day"),
            ("?last=", "last must be a whole number from 1 to 48, in plain digits"),
            ("?last=0", "last must be a whole number from 1 to 48, in plain digits"),
            ("?last=49", "last must be a whole number from 1 to 48, in plain digits"),
            ("?last=1e9", "last must be a whole number from 1 to 48, in plain digits"),
            ("?last=05", "last must be a whole number from 1 to 48, in plain digits"),
            ("?last=-1", "last must be a whole number from 1 to 48, in plain digits"),
            ("?last=99999999999999999999", "last must be a whole number from 1 to 48, in plain digits"),
            ("?last=%D9%A3", "last must be a whole number from 1 to 48, in plain digits"),
            ("?unit=day&last=61", "last must be a whole number from 1 to 60, in plain digits"),
            ("?last=1&last=2", "last is given twice in the query"),
            ("?tz=", "tz is no time zone: it must be a name such as UTC or Europe/Berlin"),
            ("?tz=../../etc/passwd", "tz is no time zone: it must be a name such as UTC or Europe/Berlin"),
            ("?tz=%00", "tz is no time zone: it must be a name such as UTC or Europe/Berlin"),
            ("?tz=europe/berlin", "tz must be written Europe/Berlin"),
            (&format!("?tz={long}"), "tz is no time zone: it must be a name such as UTC or Europe/Berlin"),
            ("?units=day", "the query has the unknown parameter \"units\"; did you mean unit?"),
            (
                "?theme=dark",
                "the query has the unknown parameter \"theme\"; there are unit, last, tz, format",
            ),
            ("?format=xml", "format must be json or csv"),
        ] {
            problem(&past(app, "2", query), 400, expected).await;
        }
        let (theme, form) = ("theme must be auto or light or dark", "form must be line or bars");
        let long_theme = format!("?theme={long}");
        for (query, expected) in [
            ("?theme=", theme),
            ("?theme=blue", theme),
            ("?theme=%1B%00", theme),
            ("?theme=dark%C3%A9", theme),
            (&long_theme, theme),
            ("?form=", form),
            ("?form=pie", form),
            ("?form=5", form),
            ("?form=bars&form=bars", "form is given twice in the query"),
            ("?last=49", "last must be a whole number from 1 to 48, in plain digits"),
            ("?tz=../../etc", "tz is no time zone: it must be a name such as UTC or Europe/Berlin"),
            ("?format=csv", "the query has the unknown parameter &quot;format&quot;; did you mean form?"),
        ] {
            problem_picture(&chart(app, "2", query), 400, expected).await;
        }
        problem(&past(app, "1,2", ""), 400, "each counter has a history of its own: ask for one").await;
        problem(
            &past(app, "a%20b", ""),
            400,
            "a counter id consists of A-Z a-z 0-9 . _ ~ -, character 2 is another",
        )
        .await;
        let post = client().post(past(app, "2", "")).answer().await;
        assert_eq!((post.status().as_u16(), header(&post, "allow")), (405, "GET, HEAD, OPTIONS"));
    })
    .await;
}

#[tokio::test]
async fn a_past_that_is_not_kept_is_not_there() {
    let off = [("LIVECOUNTER__HISTORY__HOURS", "0"), ("LIVECOUNTER__COUNTERS__KNOWN", "2")];
    on_each_deployment(&off, async |app| {
        let hours = "no hours of the past are kept here: history.hours is 0";
        problem(&past(app, "2", ""), 404, hours).await;
        problem(&past(app, "2", "?unit=day&tz=Asia/Tokyo"), 404, hours).await;
        problem_picture(&chart(app, "2", ""), 404, hours).await;
        problem(&past(app, "3", "?unit=day"), 404, "there is no counter 3 here").await;
        app.add("2").await;
        until_value(&past(app, "2", "?unit=day"), 1).await;
    })
    .await;
}

async fn problem(url: &str, status: u16, detail: &str) {
    let answer = client().get(url).answer().await;
    assert_eq!(answer.status(), status, "{url}");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let problem: Value = answer.json().await.expect("a problem");
    assert_eq!(problem["detail"], detail, "{url}");
}

/// Checks that the error is a picture with this status that says what is wrong.
async fn problem_picture(url: &str, status: u16, detail: &str) {
    let answer = client().get(url).answer().await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "content-type")),
        (status, "image/svg+xml"),
        "{url}"
    );
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let picture = answer.text().await.expect("a picture");
    assert!(picture.contains(&format!("<title>error {status}: {detail}</title>")), "{url} {picture}");
}
