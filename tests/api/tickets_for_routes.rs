//! A ticket for one route opens no other, by whichever way it is tried.

use crate::access::{TICKET_KEY, ticket, told};
use crate::entities::with_key;
use crate::support::http::client;

#[tokio::test]
async fn a_ticket_for_another_route_opens_nothing() {
    with_key(&[("LIVECOUNTER__ACCESS__TICKET_KEY", TICKET_KEY)], async |service| {
        service.write("/entity/a/b/k", "{\"n\":1}").await;
        service.write("/entity/a/c/k", "{\"n\":1}").await;
        let (read, sql) = (ticket("read:routes/a/b/"), ticket("sql"));
        let url = |path: &str, ticket: &str| {
            let mark = if path.contains('?') { '&' } else { '?' };
            format!("{}{path}{mark}_ticket={ticket}", service.app.address)
        };
        // HEAD opens no stream.
        for (path, status) in [
            ("/live/a/b", 200),
            ("/live/a/b/*", 200),
            ("/live/a/c", 403),
            ("/live/a/bc", 403),
            ("/live/a", 403),
            ("/live/a/*", 403),
            ("/live/*", 403),
            ("/live/_admin/events", 403),
        ] {
            let head = client().head(url(path, &read)).header("accept", "text/event-stream");
            assert_eq!(told(head).await.0, status, "{path}");
        }
        for (path, status) in [
            ("/feed/a/b", 200),
            ("/feed/a/c", 403),
            ("/entity/a/b/", 200),
            ("/entity/a/", 403),
            ("/entity/a/c/k", 403),
            ("/fields/badge.svg?type=a/b&field=n", 200),
            ("/fields/badge.svg?type=a/c&field=n", 403),
            ("/sql?q=SELECT+1", 403),
        ] {
            assert_eq!(told(client().get(url(path, &read))).await.0, status, "{path}");
        }
        for (commands, status) in [
            ("read a/b @k", 200),
            ("read a/c @k", 403),
            ("list a/c", 403),
            ("incr a/b @k .n", 403),
            ("sql `SELECT 1`", 403),
        ] {
            let asked = client().post(url("/exec", &read)).body(commands);
            assert_eq!(told(asked).await.0, status, "{commands}");
        }
        // A ticket for SQL reads no route, and one for a route runs no SQL.
        assert_eq!(told(client().get(url("/sql?q=SELECT+1", &sql))).await.0, 200);
        for statement in ["SELECT n FROM \"a/b\"", "SELECT 1 WHERE EXISTS (SELECT 1 FROM \"a/c\")"] {
            let asked = client().post(url("/sql", &sql)).body(statement);
            assert_eq!(told(asked).await.0, 403, "{statement}");
        }
    })
    .await;
}
