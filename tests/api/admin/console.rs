//! The console: a statement in SQL, run for a browser with a session.

use super::{form, log_in, owner, page};
use crate::support::app::TestApp;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client};

/// Runs a text in the console; returns the status and the page.
async fn run(app: &Deployment, cookie: &str, text: &str) -> (u16, String) {
    let answer = form(app, "/admin/console", &[("text", text)]).header("cookie", cookie).answer().await;
    (answer.status().as_u16(), answer.text().await.expect("a page"))
}

#[tokio::test]
async fn an_administrator_runs_statements_with_a_session() {
    let (secret, keys) = owner();
    on_each_deployment(&[("LIVECOUNTER__KEYS", &keys)], async |app| {
        let cookie = log_in(app, &secret).await;
        let run = async |text: &str| run(app, &cookie, text).await;
        let (status, text) =
            run("SELECT 6 * 7 AS answer, '<script>alert(1)</script>' AS hostile, NULL AS none").await;
        assert_eq!(status, 200);
        for expected in [
            "<th scope=\"col\">answer</th>",
            "<td class=\"n\">42</td>",
            "<td class=\"text\">&#60;script&#62;alert(1)&#60;/script&#62;</td>",
            "<td class=\"null\">NULL</td>",
            "1 row, in ",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(!text.contains("<script>"), "{text}");
        let (status, text) = run("SELECT key FROM \"analytics/daily\"").await;
        assert!(status == 200 && text.contains("0 rows"), "{status} {text}");
        for (statement, status, expected) in [
            ("WITH a AS (SELECT 1) DELETE FROM \"analytics/daily\"", 422, "class=\"problem\""),
            ("SELECT nothing", 422, "nothing"),
        ] {
            let (answered, text) = run(statement).await;
            assert_eq!(answered, status, "{statement}: {text}");
            assert!(text.contains(expected) && text.contains("id=\"console\""), "{statement}: {text}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_administrator_runs_commands_with_a_session() {
    let (secret, keys) = owner();
    on_each_deployment(&[("LIVECOUNTER__KEYS", &keys)], async |app| {
        let cookie = log_in(app, &secret).await;
        let run = async |text: &str| run(app, &cookie, text).await;
        let (status, text) = run("incr app/stats @today .visits\nread app/stats @today").await;
        assert_eq!(status, 200, "{text}");
        assert!(text.contains("2 commands, in ") && text.contains("&#34;visits&#34;: 1"), "{text}");
        let (status, text) = run("SELECT key, visits FROM \"app/stats\"").await;
        assert!(status == 200 && text.contains("<td class=\"n\">1</td>"), "{status} {text}");
        let (status, text) = run("incr _admin/daily @today .requests").await;
        assert!(status == 403 && text.contains("class=\"problem\""), "{status} {text}");
        let (status, text) = run("incr app/stats @").await;
        assert!(status >= 400 && text.contains("class=\"problem\""), "{status} {text}");
    })
    .await;
}

#[tokio::test]
async fn nobody_else_runs_statements_with_the_console() {
    let (secret, keys) = owner();
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    let cookie = log_in(&app, &secret).await;
    assert_eq!(page(&app, "/admin/console").answer().await.status(), 401);
    assert_eq!(form(&app, "/admin/console", &[("text", "SELECT 1")]).answer().await.status(), 401);
    let request = client().post(format!("{}/admin/console", app.address)).header("cookie", &cookie);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body("text=SELECT+1");
    let from_elsewhere = request.header("origin", "https://other.example").answer().await;
    assert_eq!(from_elsewhere.status(), 403);
    // The session is good for these pages alone.
    let request = client().get(format!("{}/sql?q=SELECT+1", app.address)).header("cookie", &cookie);
    assert_eq!(request.answer().await.status(), 401);
    let long = form(&app, "/admin/console", &[("text", &"x".repeat(70_000))]).header("cookie", &cookie);
    assert_eq!(long.answer().await.status(), 413);
}
