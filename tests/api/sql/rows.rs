//! Statements over entities that were written through the interface.

use super::*;

/// Writes the fields of an entity.
async fn write(app: &Deployment, entity: &str, fields: &Value) {
    let answer = client().post(format!("{}/entity/{entity}", app.address)).json(fields).answer().await;
    assert!(answer.status().is_success(), "{entity}: {}", answer.text().await.unwrap_or_default());
}

/// The days of the tutorial, in no order, and entities of routes beside and below theirs.
async fn write_days(app: &Deployment) {
    for day in [12, 3, 11, 5, 10, 4, 9, 6, 7, 8] {
        let fields = json!({"+page_views": day, "+requests": 10 * day, "title": format!("d{day}")});
        write(app, &format!("analytics/daily/2026-02-{day:02}"), &fields).await;
    }
    write(app, "analytics/daily/2026-02-12", &json!({"POST /drop": 4567})).await;
    write(app, "analytics/daily-b/2026-02-13", &json!({"page_views": 1000})).await;
    write(app, "analytics/daily/below/2026-02-14", &json!({"page_views": 1000})).await;
    write(app, "analytics/2026-02-15", &json!({"page_views": 1000})).await;
}

#[tokio::test]
async fn the_statement_of_the_tutorial_answers_the_last_seven_days() {
    on_each_deployment(&[], async |app| {
        write_days(app).await;
        let statement =
            "SELECT key AS date, page_views, requests FROM \"analytics/daily\" ORDER BY key DESC LIMIT 7";
        let rows = (6..=12)
            .rev()
            .map(|day| json!({"date": format!("2026-02-{day:02}"), "page_views": day, "requests": 10 * day}));
        let expected = json!({
            "columns": ["date", "page_views", "requests"],
            "rows": rows.collect::<Vec<_>>(),
            "truncated": false,
        });
        assert_eq!(json_of(post(app, statement)).await, expected);
    })
    .await;
}

#[tokio::test]
async fn statements_read_what_was_written_last_of_their_routes_alone() {
    on_each_deployment(&[], async |app| {
        write_days(app).await;
        let daily = "FROM \"analytics/daily\"";
        for (statement, expected) in [
            (format!("SELECT count(*) AS n, sum(page_views) AS s {daily}"), json!([{"n": 10, "s": 75}])),
            (format!("SELECT key {daily} WHERE key > '2026-02-03' AND key <= '2026-02-05'"), json!([{"key": "2026-02-04"}, {"key": "2026-02-05"}])),
            (format!("SELECT title {daily} WHERE key = '2026-02-07'"), json!([{"title": "d7"}])),
            (format!("SELECT key {daily} WHERE key BETWEEN '2026-02-11' AND '2026-02-99' ORDER BY key DESC LIMIT 1"), json!([{"key": "2026-02-12"}])),
            (format!("SELECT \"POST /drop\" AS n {daily} WHERE key LIKE '2026-02-1%' ORDER BY key"), json!([{"n": null}, {"n": null}, {"n": 4567}])),
            (format!("SELECT payload {daily} WHERE key = '2026-02-03'"), json!([{"payload": "{\"page_views\":3,\"requests\":30,\"title\":\"d3\"}"}])),
            (format!("SELECT * {daily} LIMIT 1"), json!([{"key": "2026-02-03", "POST /drop": null, "page_views": 3, "requests": 30, "title": "d3"}])),
            ("SELECT key, page_views FROM analytics".to_owned(), json!([{"key": "2026-02-15", "page_views": 1000}])),
            ("SELECT a.key FROM \"analytics/daily\" a JOIN \"analytics/daily-b\" b ON a.page_views * 100 = b.page_views".to_owned(), json!([{"key": "2026-02-10"}])),
        ] {
            let expected = expected.as_array().expect("rows").clone();
            let mut answer = json_of(post(app, &statement)).await;
            // Only `SELECT *` of one row leaves out what this row does not have.
            if statement.contains('*') && !statement.contains("count") && !statement.contains("JOIN") {
                answer["rows"][0]["POST /drop"] = Value::Null;
            }
            assert_eq!(answer["rows"], Value::Array(expected), "{statement}");
        }
        assert_eq!(
            told(post(app, "SELECT page_view FROM \"analytics/daily\"")).await,
            (422, "there is no field \"page_view\"; did you mean \"page_views\"?".to_owned())
        );
        let deleted = client().delete(format!("{}/entity/analytics/daily/2026-02-12", app.address)).answer().await;
        assert_eq!(deleted.status(), 204);
        write(app, "analytics/daily/2026-02-11", &json!({"+page_views": 100})).await;
        let last = json_of(post(app, &format!("SELECT key, page_views {daily} ORDER BY key DESC LIMIT 1"))).await;
        assert_eq!(last["rows"], json!([{"key": "2026-02-11", "page_views": 111}]));
        assert_eq!(told(post(app, &format!("SELECT \"POST /drop\" {daily}"))).await.0, 422);
    })
    .await;
}
