//! What a browser gets instead of a page: the login that leads back to the page, and errors as pages.

use serde_json::Value;

use super::{form, log_in, owner, page};
use crate::support::app::TestApp;
use crate::support::http::{Ask, header};
use crate::support::redis::RedisServer;

/// What Chromium accepts when it opens a page.
const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
/// No proxy listens at this address; these tests ask for no stream.
const GRIP_URL: &str = "http://127.0.0.1:9/?iss=pushpin&key=a-secret-for-these-tests";

#[tokio::test]
async fn a_login_leads_to_the_page_that_was_asked_for() {
    let (secret, keys) = owner();
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    for (path, next) in [
        ("/admin", "/admin"),
        ("/admin/", "/admin"),
        ("/admin/login", "/admin"),
        ("/admin/console", "/admin/console"),
        ("/admin/counters?prefix=a%22b&after=c", "/admin/counters?prefix=a%22b&#38;after=c"),
        ("/admin/counters?prefix=%3Cscript%3E", "/admin/counters?prefix=%3Cscript%3E"),
    ] {
        let text = page(&app, path).header(BROWSER.0, BROWSER.1).text().await;
        assert!(text.contains(&format!("name=\"next\" value=\"{next}\"")), "{path}: {text}");
    }
    let counters = "/admin/counters?prefix=a%22b&after=c";
    let wrong = form(&app, "/admin/login", &[("key", "lc_wrong"), ("next", counters)]).text().await;
    assert!(wrong.contains("value=\"/admin/counters?prefix=a%22b&#38;after=c\""), "{wrong}");
    let right = form(&app, "/admin/login", &[("key", &secret), ("next", counters)]).answer().await;
    assert_eq!((right.status().as_u16(), header(&right, "location")), (303, counters));
}

#[tokio::test]
async fn a_login_leads_to_no_other_site() {
    let (secret, keys) = owner();
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    for next in [
        "https://other.example/admin",
        "//other.example/admin",
        "/\\other.example",
        "/admin/../..//other.example",
        "/admin@other.example",
        "javascript:alert(1)",
        "/admin\r\nlocation: https://other.example",
        "/counters/1/",
    ] {
        let answer = form(&app, "/admin/login", &[("key", &secret), ("next", next)]).answer().await;
        assert_eq!((answer.status().as_u16(), header(&answer, "location")), (303, "/admin"), "{next}");
    }
}

#[tokio::test]
async fn a_form_without_a_session_leads_to_the_login_and_back_to_its_page() {
    let (_, keys) = owner();
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    let sent = || form(&app, "/admin/console", &[("text", "SELECT 1")]);
    let answer = sent().header(BROWSER.0, BROWSER.1).answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (401, "no-store"));
    let text = answer.text().await.expect("a page");
    assert!(text.contains("name=\"next\" value=\"/admin/console\""), "{text}");
    let program = sent().answer().await;
    assert_eq!(
        (program.status().as_u16(), header(&program, "content-type")),
        (401, "application/problem+json")
    );
}

#[tokio::test]
async fn while_the_store_is_away_a_browser_gets_a_page_that_tries_again() {
    let mut redis = RedisServer::start_with(&["--appendonly yes"]);
    let (secret, keys) = owner();
    let settings = [
        ("REDIS_URL", &*redis.url()),
        ("GRIP_URL", GRIP_URL),
        ("LIVECOUNTER__WORKERS", "1"),
        ("LIVECOUNTER__KEYS", &keys),
    ];
    let app = TestApp::with(&settings).await;
    let cookie = log_in(&app, &secret).await;
    redis.kill();
    let asked = |accept| {
        page(&app, "/admin/counters?prefix=a").header("cookie", &cookie).header("accept", accept).answer()
    };
    let answer = asked(BROWSER.1).await;
    assert_eq!(answer.status(), 503);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("retry-after", "1"),
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(header(&answer, name), value, "{name}");
    }
    assert!(header(&answer, "content-security-policy").starts_with("default-src 'none'"));
    let text = answer.text().await.expect("a page");
    for part in [
        "<meta http-equiv=\"refresh\" content=\"5\">",
        "The store does not answer; try again.",
        "tries again in 5 seconds",
        "<a href=\"\">Try again now</a>",
        "Log out",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for accept in ["*/*", "application/json", "text/html;q=0, */*"] {
        let answer = asked(accept).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "content-type")),
            (503, "application/problem+json")
        );
    }
    // The page for a form does not send the form again, and says that the counter may have been set.
    let set = form(&app, "/admin/counters", &[("action", "set"), ("id", "a"), ("value", "7")]);
    let answer = set.header("cookie", &cookie).header(BROWSER.0, BROWSER.1).answer().await;
    assert_eq!(answer.status(), 503);
    let text = answer.text().await.expect("a page");
    assert!(text.contains("may or may not have been counted") && !text.contains("http-equiv"), "{text}");
    assert!(text.contains("<a href=\"/admin/counters\">Back to the page</a>"), "{text}");
    // All other pages are there, and say what is missing.
    let overview = page(&app, "/admin").header("cookie", &cookie).header(BROWSER.0, BROWSER.1).answer().await;
    assert_eq!(overview.status(), 200);
}

#[tokio::test]
async fn other_errors_are_pages_for_browsers_too() {
    let (secret, keys) = owner();
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    let cookie = log_in(&app, &secret).await;
    for (path, status, detail) in [
        ("/admin/counters?perfix=a", 400, "Did you mean"),
        ("/admin/counters?_key=lc_hush", 400, "A key has no place in the address"),
        ("/admin/public", 404, "This service has no public page"),
    ] {
        let request = page(&app, path).header("cookie", &cookie);
        let answer = request.header(BROWSER.0, BROWSER.1).answer().await;
        assert_eq!(answer.status(), status, "{path}");
        let text = answer.text().await.expect("a page");
        assert!(text.to_lowercase().contains(&detail.to_lowercase()), "{path}: {text}");
        assert!(!text.contains("lc_hush") && !text.contains("http-equiv"), "{path}: {text}");
        let program = page(&app, path).header("cookie", &cookie).answer().await;
        let problem: Value = program.json().await.expect("a problem");
        assert_eq!(problem["status"], status, "{path}");
    }
}
