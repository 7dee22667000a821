//! The routes of busuanzi and of Vercount.

use serde_json::{Value, json};

use super::badges::{HOSTS, get};
use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, client, header};
use crate::uniques::site_that_tells_apart;

const HOST: &str = "busuanzi.ibruce.info";

#[tokio::test]
async fn a_call_counts_the_page_and_its_site() {
    on_each_deployment(&HOSTS, async |service| {
        let call = |query: &str| {
            get(&service.address, &format!("{HOST}/busuanzi?jsonpCallback=BusuanziCallback_1{query}"))
        };
        let answer = call("").header("referer", "https://example.com/a?b").answer().await;
        assert_eq!(header(&answer, "content-type"), "text/javascript; charset=utf-8");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "cross-origin-resource-policy"), "cross-origin");
        assert!(header(&answer, "cache-control").contains("no-store"));
        assert_eq!(
            answer.text().await.expect("a script"),
            "try{BusuanziCallback_1({\"site_uv\":0,\"page_pv\":1,\"version\":2.4,\"site_pv\":1});}catch(e){}"
        );
        // What the query names counts, not the site that asks.
        let script =
            call("&url=https%3A%2F%2Fexample.com%2Fb").header("referer", "https://example.com/").text().await;
        assert!(script.contains("\"page_pv\":1,") && script.contains("\"site_pv\":2}"), "{script}");
        for method in ["HEAD", "GET"] {
            let method = method.parse().expect("a method");
            let url = format!("{}/busuanzi?jsonpCallback=a&url=example.com/b", service.address);
            let request =
                client().request(method, url).header("host", HOST).header("user-agent", "Googlebot");
            assert_eq!(request.answer().await.status(), 200);
        }
        assert_eq!(client().get(format!("{}/nocount?url=example.com/b", service.address)).text().await, "1");
    })
    .await;
}

#[tokio::test]
async fn only_names_of_functions_are_called_and_only_pages_counted() {
    let app = TestApp::with(&HOSTS).await;
    let long = format!("jsonpCallback=a&url=example.com/{}", "a".repeat(10_000));
    for (query, status) in [
        ("url=example.com/a", 400),
        ("jsonpCallback=&url=example.com/a", 400),
        ("jsonpCallback=alert(1)&url=example.com/a", 400),
        ("jsonpCallback=a%0Ab&url=example.com/a", 400),
        ("jsonpCallback=%3Cscript%3E&url=example.com/a", 400),
        ("jsonpCallback=a", 404),
        ("jsonpCallback=a&url=javascript:alert(1)", 400),
        (&long, 400),
    ] {
        let answer = get(&app.address, &format!("{HOST}/busuanzi?{query}")).answer().await;
        assert_eq!(answer.status(), status, "{query:.60}");
        assert_eq!(header(&answer, "content-type"), "application/problem+json");
    }
    let told = get(&app.address, &format!("{HOST}/busuanzi?jsonpCallback=a()")).text().await;
    assert!(told.contains("\"jsonpCallback must be the name of a function: "), "{told}");
    assert_eq!(client().get(format!("{}/nocount?url=example.com/a", app.address)).text().await, "0");
}

#[tokio::test]
async fn the_requests_of_vercount_are_answered() {
    let app = TestApp::with(&HOSTS).await;
    let post = |path: &str, body: &str| {
        let request = client().post(format!("{}{path}", app.address)).header("host", HOST);
        request.header("content-type", "application/json").body(body.to_owned())
    };
    let url = "{\"url\":\"https://example.com/a\",\"isNewUv\":true}";
    for (number, path) in [(1, "/log"), (2, "/api/v1/log")] {
        let answer: Value = serde_json::from_str(&post(path, url).text().await).expect("JSON");
        assert_eq!(answer, json!({"site_uv": 0, "site_pv": number, "page_pv": number}));
    }
    let second = json!({"site_uv": 0, "site_pv": 3, "page_pv": 3});
    let envelope = json!({"status": "success", "message": "Data updated successfully", "data": second});
    let answer = post("/api/v2/log", url).header("origin", "https://example.com").answer().await;
    assert_eq!(header(&answer, "access-control-allow-origin"), "https://example.com");
    assert_eq!(serde_json::from_str::<Value>(&answer.text().await.expect("a body")).expect("JSON"), envelope);
    // A GET only reads.
    for path in ["api/v2/log?url=https://example.com/a", "log?url=https://example.com/a"] {
        let read = get(&app.address, &format!("{HOST}/{path}")).text().await;
        assert!(read.contains("\"page_pv\":3"), "{read}");
    }
    assert_eq!(post("/log", url).header("user-agent", "Googlebot").answer().await.status(), 200);
    let long = format!("{{\"url\":\"https://example.com/{}\"}}", "a".repeat(10_000));
    for (body, status) in [
        ("", 400),
        ("{}", 400),
        ("[]", 400),
        ("{\"url\":5}", 400),
        ("{\"url\":\"\"}", 400),
        ("{\"url\":\"javascript:alert(1)\"}", 400),
        (&long, 413),
    ] {
        assert_eq!(post("/api/v2/log", body).answer().await.status(), status, "{body:.60}");
    }
    assert_eq!(client().get(format!("{}/nocount?url=example.com/a", app.address)).text().await, "3");
    let asked = client().request("OPTIONS".parse().expect("a method"), format!("{}/log", app.address));
    let preflight = asked.header("host", HOST).header("origin", "https://example.com").answer().await;
    assert!(header(&preflight, "access-control-allow-methods").contains("POST"));
}

#[tokio::test]
async fn visitors_are_told_where_they_are_counted() {
    let app = TestApp::with(&[&HOSTS[..], &[("LIVECOUNTER__HITS__UNIQUES", "true")]].concat()).await;
    let visits = async |site: &str| {
        let call = format!("{HOST}/busuanzi?jsonpCallback=a&url={site}/a");
        for visitor in ["Mozilla/5.0 (one)", "Mozilla/5.0 (two)", "Mozilla/5.0 (two)"] {
            get(&app.address, &call).header("user-agent", visitor).answer().await;
        }
    };
    let site = site_that_tells_apart(&app, 2, visits).await;
    let script = get(&app.address, &format!("{HOST}/log?url={site}/a")).text().await;
    assert_eq!(script, "{\"site_uv\":2,\"page_pv\":3,\"site_pv\":3}");
}
