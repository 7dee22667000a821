//! What statements answer.

use super::*;

#[tokio::test]
async fn an_unknown_route_is_an_empty_table_with_a_warning() {
    on_each_deployment(&[], async |app| {
        let statement =
            "SELECT key AS date, page_views, requests FROM \"analytics/daily\" ORDER BY key DESC LIMIT 7";
        let expected = json!({
            "columns": ["date", "page_views", "requests"],
            "rows": [],
            "truncated": false,
            "warnings": ["there are no entities with the route \"analytics/daily\""],
        });
        for _ in 0..2 {
            assert_eq!(json_of(post(app, statement)).await, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn pages_of_other_origins_may_read_that_an_answer_is_not_all() {
    on_each_deployment(&[], async |app| {
        let ten = "ten(n) AS (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))";
        let statement = format!("WITH {ten} SELECT a.n FROM ten a, ten b, ten c, ten d");
        for _ in 0..2 {
            let request = post(app, &statement).header("accept", "text/csv");
            let answer = request.header("origin", "http://localhost:3000").answer().await;
            assert_eq!(header(&answer, "x-truncated"), "true");
            let exposed = header(&answer, "access-control-expose-headers");
            assert!(exposed.starts_with("x-request-id, ") && exposed.ends_with(", x-truncated"), "{exposed}");
        }
    })
    .await;
}
