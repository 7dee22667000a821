//! The tally: the service's own traffic in entities and a feed of its own.

use serde_json::Value;

use super::overview::PATIENCE;
use super::{log_in, owner, page};
use crate::support::app::TestApp;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client, header};
use crate::support::server::Server;
use crate::support::wait::until_within;

const ON: (&str, &str) = ("LIVECOUNTER__ADMIN__TALLY", "true");

/// The sum of a field over all entities of a route.
async fn sum(app: &Deployment, secret: &str, route: &str, field: &str) -> i64 {
    sums(app, secret, route, [field]).await[0]
}

/// The sums of several fields over all entities of a route. The fields of an entity are read at the same time.
async fn sums<const COUNT: usize>(
    app: &Deployment,
    secret: &str,
    route: &str,
    fields: [&str; COUNT],
) -> [i64; COUNT] {
    let json = async |path: &str| -> Value {
        let request = client().get(format!("{}/entity/{route}/{path}", app.address)).bearer_auth(secret);
        let text = request.header("accept", "application/json").text().await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{route}/{path}: {text}"))
    };
    let list = json("").await;
    let mut sums = [0; COUNT];
    for key in list["keys"].as_array().unwrap_or_else(|| panic!("no list: {list}")) {
        let entity = json(key["key"].as_str().expect("a key")).await;
        for (sum, field) in sums.iter_mut().zip(fields) {
            *sum += entity["payload"][field].as_i64().unwrap_or_default();
        }
    }
    sums
}

#[tokio::test]
async fn the_traffic_of_all_origins_is_recorded_once() {
    let (secret, keys) = owner();
    on_each_deployment(&[("LIVECOUNTER__KEYS", &keys), ON], async |app| {
        for _ in 0..40 {
            app.add("1").await;
        }
        app.get("/counters/%00/").await;
        let field = "POST /counters/{id}/";
        let all = async || sum(app, &secret, "_admin/endpoints", field).await >= 40;
        until_within(PATIENCE, "all additions in the tally", all).await;
        let refused = async || sum(app, &secret, "_admin/status", "400").await >= 1;
        until_within(PATIENCE, "the refused request in the tally", refused).await;
        assert_eq!(sum(app, &secret, "_admin/endpoints", field).await, 40);
        assert_eq!(sum(app, &secret, "_admin/status", "400").await, 1);
        let cookie = log_in(app, &secret).await;
        let text = page(app, "/admin").header("cookie", &cookie).text().await;
        for expected in [
            "id=\"hours\"",
            "id=\"days\"",
            "<span class=\"name\">POST /counters/{id}/</span>\n          <b class=\"number\">40</b>",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        // The days and the hours were counted in the same steps.
        for route in ["_admin/daily", "_admin/hourly"] {
            let [all, ok] = sums(app, &secret, route, ["requests", "ok"]).await;
            assert!(ok >= 40 && all > ok, "{route}: {ok} of {all}");
        }
    })
    .await;
}

#[tokio::test]
async fn each_recorded_number_has_its_link_badge_and_chart() {
    let (secret, keys) = owner();
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys), ON]).await;
    app.add("1").await;
    let cookie = log_in(&app, &secret).await;
    let picture = async |path: &str, cookie: &str| {
        let answer = page(&app, path).header("cookie", cookie).answer().await;
        let policy = header(&answer, "cross-origin-resource-policy").to_owned();
        assert_eq!((header(&answer, "content-type"), policy.as_str()), ("image/svg+xml", "same-origin"));
        (answer.status().as_u16(), answer.text().await.expect("a picture"))
    };
    let badge = "/admin/badge.svg?type=_admin%2Fdaily&field=requests";
    let is_drawn = async || picture(badge, &cookie).await.1.contains("requests: 1<");
    until_within(PATIENCE, "the request in the badge", is_drawn).await;
    assert_eq!(picture(badge, "").await.0, 401, "without a session there is no picture");
    let text = page(&app, "/admin").header("cookie", &cookie).text().await.replace("&#38;", "&");
    let route = "field=POST+%2Fcounters%2F%7Bid%7D%2F&last=7";
    for expected in [
        format!("{}/entity/_admin/daily/20", app.address),
        format!("curl -N -H 'Accept: text/event-stream' {}/entity/_admin/hourly/20", app.address),
        format!("![Requests of today]({}/fields/badge.svg?type=_admin%2Fdaily&field=requests)", app.address),
        format!("{}/fields/chart.svg?type=_admin%2Fhourly&field=requests&last=24", app.address),
        format!("<img src=\"/admin/badge.svg?type=_admin%2Fendpoints&{route}\""),
        format!("<img src=\"/admin/chart.svg?type=_admin%2Fendpoints&{route}\""),
        format!("{}/fields/badge.svg?type=_admin%2Fstatus&field=200&last=7", app.address),
    ] {
        assert!(text.contains(&expected), "{expected}: {text}");
    }
    let chart = picture(&format!("/admin/chart.svg?type=_admin%2Fendpoints&{route}"), &cookie).await;
    assert!(
        chart.0 == 200 && chart.1.contains("<title id=\"t\">POST /counters/{id}/: 1</title>"),
        "{chart:?}"
    );
    // Each number of the process names its metric.
    let metrics = app.metrics().await;
    let (_, sources) = text.split_once("Where these numbers are").expect("the sources");
    let named =
        sources.split("livecounter_").skip(1).filter_map(|rest| rest.split(['<', '{', '[', ',']).next());
    let named: Vec<&str> = named.take(8).collect();
    assert_eq!(named.len(), 8);
    for name in named {
        assert!(
            metrics.contains(&format!("\n# TYPE livecounter_{}", name.trim_end_matches("_total"))),
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_tally_does_not_count_itself() {
    let app = TestApp::with(&[ON]).await;
    app.add("1").await;
    let requests = async || {
        let text = page(&app, "/admin").text().await;
        let (_, rest) = text.split_once("id=\"days\"").expect("a chart");
        let (_, rest) = rest.split_once("<b data-total>").expect("a sum");
        rest.split_once('<').expect("an end").0.to_owned()
    };
    until_within(PATIENCE, "the request in the tally", async || requests().await == "1").await;
    // The pages of administrators are asked for a while, and the tally is written again for a request that counts.
    app.add("1").await;
    until_within(PATIENCE, "the second request in the tally", async || requests().await == "2").await;
}

#[tokio::test]
async fn no_client_writes_what_the_service_records() {
    let app = TestApp::with(&[ON]).await;
    let url = format!("{}/drop", app.address);
    let drop = r#"{"route":"_admin/daily","key":"2026-02-10","payload":{"+requests":1}}"#;
    let request = client().post(url).header("content-type", "application/json").body(drop);
    assert_eq!(request.answer().await.status(), 403);
}

#[tokio::test]
async fn nothing_is_recorded_where_the_setting_is_off() {
    let app = TestApp::spawn().await;
    app.add("1").await;
    let text = page(&app, "/admin").text().await;
    assert!(text.contains("admin.tally = true") && !text.contains("id=\"hours\""), "{text}");
}
