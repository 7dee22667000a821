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
