//! The login with a key, the session in a cookie, and requests that pages of other sites cause.

use serde_json::Value;

use super::{cookie, form, log_in, owner, page};
use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};
use crate::support::server::Server;

const PAGES: [&str; 4] = ["/admin", "/admin/", "/admin/counters", "/admin/stream"];

#[tokio::test]
async fn a_key_logs_a_browser_in_on_every_origin() {
    let (secret, keys) = owner();
    on_each_deployment(&[("LIVECOUNTER__KEYS", &keys)], async |app| {
        for path in PAGES {
            let answer = page(app, path).answer().await;
            assert_eq!(answer.status(), 401, "{path}");
            assert!(header(&answer, "www-authenticate").contains("scope=\"admin\""), "{path}");
        }
        let answer = form(app, "/admin/login", &[("key", &format!(" {secret}\n"))]).answer().await;
        assert_eq!((answer.status().as_u16(), header(&answer, "location")), (303, "/admin"));
        let set = header(&answer, "set-cookie");
        for attribute in ["; Path=/admin", "; HttpOnly", "; SameSite=Strict", "; Max-Age=3600"] {
            assert!(set.contains(attribute), "{set}");
        }
        assert!(!set.contains("Secure") && !set.contains(&secret) && !set.contains("lc_"), "{set}");
        let cookie = cookie(&answer);
        // Two requests reach both origins, of which one has never seen the login.
        for path in ["/admin", "/admin", "/admin/counters", "/admin/counters"] {
            let answer = page(app, path).header("cookie", &cookie).answer().await;
            assert_eq!(answer.status(), 200, "{path}");
            assert_eq!(header(&answer, "cache-control"), "no-store");
            assert!(header(&answer, "content-security-policy").contains("default-src 'none'"));
            assert!(answer.headers().get("access-control-allow-origin").is_none());
            let text = answer.text().await.expect("a page");
            assert!(text.contains("Log out") && !text.contains(&secret), "{text}");
        }
        let answer = form(app, "/admin/logout", &[]).header("cookie", &cookie).answer().await;
        assert!(header(&answer, "set-cookie").starts_with("livecounter_admin=; Path=/admin; Max-Age=0"));
    })
    .await;
}

#[tokio::test]
async fn over_tls_the_cookie_is_secure() {
    let (secret, keys) = owner();
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    let request = form(&app, "/admin/login", &[("key", &secret)]).header("x-forwarded-proto", "https");
    assert!(header(&request.answer().await, "set-cookie").ends_with("; SameSite=Strict; Secure"));
}

#[tokio::test]
async fn only_a_key_with_the_scope_admin_logs_in() {
    let (admin, keys) = owner();
    let manager = secret();
    let keys = format!("{keys}{}", key_table("manager", &manager, r#"["manage:"]"#));
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    let unknown = secret();
    for wrong in ["", "lc_", manager.expose(), unknown.expose(), &admin[..40], "<script>alert(1)</script>"] {
        let answer = form(&app, "/admin/login", &[("key", wrong)]).answer().await;
        assert_eq!(answer.status(), 401, "{wrong}");
        assert!(answer.headers().get("set-cookie").is_none(), "{wrong}");
        let text = answer.text().await.expect("a page");
        assert!(text.contains("No key with the scope admin has this secret."), "{text}");
        assert!(wrong.len() < 5 || !text.contains(wrong), "{text}");
    }
    let good = log_in(&app, &admin).await;
    let changed = [&good[..good.len() - 2], "AA"].concat();
    for cookie in ["livecounter_admin=", "livecounter_admin=a.b.c.d", &changed, &good.replace("admin=", "x=")]
    {
        assert_eq!(page(&app, "/admin").header("cookie", cookie).answer().await.status(), 401, "{cookie}");
    }
    let several = format!("a=b; livecounter_admin=old; {good}; c");
    assert_eq!(page(&app, "/admin").header("cookie", several).answer().await.status(), 200);
    let beside = format!("user=Zo\u{eb}; {good}");
    assert_eq!(page(&app, "/admin").header("cookie", beside).answer().await.status(), 200);
}

#[tokio::test]
async fn a_key_in_the_address_is_refused_and_not_repeated() {
    let (secret, keys) = owner();
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    let cookie = log_in(&app, &secret).await;
    for path in ["/admin", "/admin/counters", "/admin/stream", "/admin/login"] {
        for query in [format!("_key={secret}"), format!("x=1&%5Fkey={secret}"), "_ticket=a.b.c".to_owned()] {
            for cookie in [cookie.as_str(), ""] {
                let request = page(&app, &format!("{path}?{query}")).header("cookie", cookie);
                let answer = request.answer().await;
                assert_eq!(answer.status(), 400, "{path}");
                let text = answer.text().await.expect("a problem");
                assert!(text.contains("has no place in the address") && !text.contains(&secret), "{text}");
            }
        }
    }
    let answer = form(&app, &format!("/admin/login?_key={secret}"), &[("key", &secret)]).answer().await;
    assert_eq!(answer.status(), 400);
    assert_eq!(page(&app, "/admin").bearer_auth(&secret).answer().await.status(), 401);
}

#[tokio::test]
async fn what_a_page_of_another_site_sends_is_refused() {
    let (secret, keys) = owner();
    on_each_deployment(&[("LIVECOUNTER__KEYS", &keys)], async |app| {
        let cookie = log_in(app, &secret).await;
        let set = [("action", "set"), ("id", "1"), ("value", "7")];
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://other.example"),
            ("origin", "null"),
        ] {
            for (path, fields) in [
                ("/admin/counters", &set[..]),
                ("/admin/login", &[("key", secret.as_str())]),
                ("/admin/logout", &[]),
            ] {
                let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                let request = client().post(format!("{}{path}", app.address)).body(body);
                let request = request.header("content-type", "application/x-www-form-urlencoded");
                let answer = request.header("cookie", &cookie).header(name, value).answer().await;
                assert_eq!(answer.status(), 403, "{path} {name}: {value}");
                assert!(answer.headers().get("set-cookie").is_none(), "{path} {name}: {value}");
                let problem: Value = answer.json().await.expect("a problem");
                let detail = "this form must be sent by a page of this service itself; nothing was changed";
                assert_eq!(problem["detail"], detail);
            }
        }
        // A browser that sends the cookie although another site has caused the request.
        for site in ["cross-site", "same-site"] {
            let request = page(app, "/admin").header("cookie", &cookie).header("sec-fetch-site", site);
            assert_eq!(request.answer().await.status(), 401, "{site}");
        }
        // Over plain http browsers say nothing of the site, but name the origin of a page that wants to read the answer.
        for (origin, status) in [("http://other.example", 401), ("null", 401), (app.address.as_str(), 200)] {
            let request = page(app, "/admin").header("cookie", &cookie).header("origin", origin);
            assert_eq!(request.answer().await.status(), status, "{origin}");
        }
        let request = page(app, "/admin").header("cookie", &cookie).header("sec-fetch-site", "none");
        assert_eq!(request.answer().await.status(), 200);
        assert_eq!(app.read("1").await, 0);
    })
    .await;
}

#[tokio::test]
async fn without_keys_only_this_machine_is_an_administrator() {
    let app = TestApp::spawn().await;
    assert_eq!(page(&app, "/admin").answer().await.status(), 200);
    for (name, value) in [
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1"),
        ("via", "1.1 proxy"),
        ("host", "rebound.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let answer = page(&app, "/admin").header(name, value).answer().await;
        assert_eq!(answer.status(), 403, "{name}: {value}");
        let text = answer.text().await.expect("a page");
        assert!(text.contains("livecounter key new admin --scope admin"), "{text}");
    }
    let (_, keys) = owner();
    let closed = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    assert_eq!(page(&closed, "/admin").answer().await.status(), 401);
}
