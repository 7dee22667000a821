//! `/fields/badge.svg` and `/fields/chart.svg`: fields of entities as pictures.

use reqwest::{RequestBuilder, Response};

use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};
use crate::support::redis::RedisServer;

/// No proxy listens at this address; these tests ask for no stream.
const GRIP_URL: (&str, &str) = ("GRIP_URL", "http://127.0.0.1:9/?iss=pushpin&key=a-secret-for-these-tests");
const CHART: &str = "/fields/chart.svg?type=a/daily&field=views&theme=light";
const BADGE: &str = "/fields/badge.svg?type=a/daily&field=views";

fn write(address: &str, key: &str, entity: &str, payload: &str) -> RequestBuilder {
    client().post(format!("{address}/entity/{entity}")).bearer_auth(key).body(payload.to_owned())
}

/// The text of a badge or the title of a chart, as screen readers say it.
async fn said(answer: Response) -> String {
    let text = answer.text().await.expect("a picture");
    let title = text.split("<title").nth(1).and_then(|rest| rest.split_once('>')).expect("a title").1;
    title.split_once('<').expect("an end").0.to_owned()
}

#[tokio::test]
async fn a_field_has_a_badge_and_a_chart() {
    let key = secret();
    let keys = key_table("owner", &key, r#"["admin"]"#);
    on_each_deployment(&[("LIVECOUNTER__KEYS", &keys)], async |app| {
        for (entity, payload) in [
            ("a/daily/2026-02-08", r#"{"+views":30,"title":"x"}"#),
            ("a/daily/2026-02-10", r#"{"+views":1234,"title":"y"}"#),
            ("a/daily/2026-02-09", r#"{"+views":-6,"part":1.5}"#),
            ("a/daily/below/2026-02-11", r#"{"+views":5}"#),
        ] {
            assert_eq!(write(&app.address, key.expose(), entity, payload).answer().await.status(), 200);
        }
        let get = |path: &str| client().get(format!("{}{path}", app.address)).bearer_auth(key.expose());
        let answer = get(&format!("{BADGE}&label=hits")).answer().await;
        for (name, expected) in [
            ("content-type", "image/svg+xml"),
            ("cache-control", "private, no-store"),
            ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("x-content-type-options", "nosniff"),
            ("surrogate-control", ""),
            ("surrogate-key", ""),
        ] {
            assert_eq!(header(&answer, name), expected, "{name}");
        }
        let etag = header(&answer, "etag").to_owned();
        assert_eq!(answer.text().await.expect("a badge"), include_str!("badges/flat-square.svg").trim_end());
        let again = get(&format!("{BADGE}&label=hits")).header("if-none-match", &etag).answer().await;
        assert_eq!((again.status().as_u16(), header(&again, "cache-control")), (304, "private, no-store"));
        for (query, expected) in [
            ("", "views: 1234"),
            ("&format=commas&base=1", "views: 1,235"),
            ("&key=2026-02-09", "views: -6"),
            ("&key=2026-02-07", "views: 0"),
            ("&last=2", "views: 1228"),
            ("&last=124", "views: 1258"),
        ] {
            assert_eq!(said(get(&format!("{BADGE}{query}")).answer().await).await, expected, "{query}");
        }
        for (query, expected) in [
            ("field=none", "none: 0"),
            ("field=title", "title: unknown"),
            ("field=part&last=2", "part: unknown"),
            ("field=a%07b", "value: 0"),
        ] {
            let path = format!("/fields/badge.svg?type=a/daily&{query}");
            assert_eq!(said(get(&path).answer().await).await, expected, "{query}");
        }
        let chart = get(&format!("{CHART}&last=2")).answer().await;
        assert_eq!(header(&chart, "content-type"), "image/svg+xml");
        assert_eq!(chart.text().await.expect("a chart"), EXPECTED);
        assert_eq!(said(get("/fields/chart.svg?type=none&field=n").answer().await).await, "n: unknown");
    })
    .await;
}

/// The chart of the last two days.
const EXPECTED: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"360\" height=\"120\" viewBox=\"0 0 360 120\" role=\"img\" \
    aria-labelledby=\"t d\"><title id=\"t\">views: 1234</title><desc id=\"d\">Its 2 values, from 2026-02-09 to 2026-02-10: between -6 \
    and 1234.</desc><style>.x{fill:#57606a}.n{fill:#1f2328}.l{stroke:#0969da}.b{fill:#0969da}</style><g \
    font-family=\"system-ui,sans-serif\" font-size=\"12\"><text class=\"x\" x=\"12\" y=\"22\">views</text><text class=\"n\" \
    x=\"348\" y=\"24\" font-size=\"18\" font-weight=\"600\" text-anchor=\"end\">1234</text><text class=\"x\" x=\"12\" \
    y=\"111\">2026-02-09</text><text class=\"x\" x=\"348\" y=\"111\" text-anchor=\"end\">2026-02-10</text></g><path class=\"b\" \
    d=\"M12 91.8v1h166v-1zM180 91.8v-51.8h166v51.8z\"/></svg>\n";

#[tokio::test]
async fn pictures_are_as_private_as_the_entity() {
    let (reader, other) = (secret(), secret());
    let keys = [
        key_table("reader", &reader, r#"["read:routes/a/"]"#),
        key_table("other", &other, r#"["read:routes/b/"]"#),
    ];
    let settings = [("LIVECOUNTER__KEYS", &*keys.concat()), ("LIVECOUNTER__PUBLIC", "*")];
    let closed = TestApp::with(&settings[..1]).await;
    let open = TestApp::with(&settings).await;
    let asked = async |app: &TestApp, path: &str, key: Option<&str>| {
        let request = client().get(format!("{}{path}", app.address));
        let answer = key.into_iter().fold(request, RequestBuilder::bearer_auth).answer().await;
        assert_eq!(header(&answer, "content-type"), "image/svg+xml", "{path}");
        assert!(header(&answer, "cache-control").contains("no-store"), "{path}");
        answer.status().as_u16()
    };
    for path in [BADGE, CHART] {
        assert_eq!(asked(&closed, path, None).await, 401, "{path}");
        assert_eq!(asked(&closed, path, Some("lc_wrong")).await, 401, "{path}");
        assert_eq!(asked(&closed, path, Some(other.expose())).await, 403, "{path}");
        assert_eq!(asked(&closed, path, Some(reader.expose())).await, 200, "{path}");
        let in_query = format!("{path}&_key={}", reader.expose());
        assert_eq!(asked(&closed, &in_query, None).await, 200, "{path}");
        assert_eq!(asked(&open, path, None).await, 200, "{path}");
        let own = path.replace("a/daily", "_admin/daily");
        assert_eq!(asked(&open, &own, None).await, 401, "{own}: * does not open the service's own routes");
    }
}

#[tokio::test]
async fn what_is_wrong_is_a_picture() {
    let app = TestApp::spawn().await;
    for (path, detail) in [
        ("/fields/badge.svg?field=n", "the query must have type"),
        ("/fields/badge.svg?type=a", "the query must have field"),
        ("/fields/chart.svg?type=a&field=", "the query must have field"),
        ("/fields/chart.svg?type=a//b&field=n", "type: "),
        ("/fields/badge.svg?type=a&field=n&key=a/b", "a key consists of"),
        ("/fields/badge.svg?type=a&field=n&key=a&last=2", "only one of them can be given"),
        ("/fields/badge.svg?type=a&field=n&last=125", "from 1 to 124"),
        ("/fields/chart.svg?type=a&field=n&last=1e9", "from 1 to 124"),
        ("/fields/chart.svg?type=a&field=n&form=pie", "form must be bars or line"),
        ("/fields/chart.svg?type=a&feild=n", "did you mean field?"),
        ("/fields/badge.svg?type=a&field=n&field=m", "given twice"),
        ("/fields/badge.svg?type=a&field=n&color=url(x)", "color "),
    ] {
        let answer = client().get(format!("{}{path}", app.address)).answer().await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "content-type")),
            (400, "image/svg+xml"),
            "{path}"
        );
        let text = said(answer).await;
        assert!(text.starts_with("error 400: ") && text.contains(detail), "{path}: {text}");
    }
    let long = format!("{}/fields/badge.svg?type=a&field={}", app.address, "n".repeat(257));
    assert_eq!(client().get(long).answer().await.status(), 400);
    let redis = &mut RedisServer::start();
    let away = TestApp::with(&[("REDIS_URL", &*redis.url()), GRIP_URL, ("LIVECOUNTER__PUBLIC", "a/*")]).await;
    redis.kill();
    for path in [BADGE, CHART, "/fields/badge.svg?type=a/daily&field=views&key=k"] {
        let answer = client().get(format!("{}{path}", away.address)).answer().await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "content-type")),
            (503, "image/svg+xml"),
            "{path}"
        );
        assert_eq!(header(&answer, "retry-after"), "1", "{path}");
    }
}
