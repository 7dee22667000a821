//! What statements can read.

use super::*;

#[tokio::test]
async fn the_statement_of_the_tutorial_is_answered_as_it_is() {
    let tables = Tables::daily();
    let statement =
        "SELECT key AS date, page_views, requests FROM \"analytics/daily\" ORDER BY key DESC LIMIT 7";
    let answer = tables.ask(statement).await.expect("an answer");
    assert_eq!(answer.columns, ["date", "page_views", "requests"]);
    assert_eq!(answer.rows.len(), 7);
    let rows = tables.rows(statement).await;
    assert_eq!(rows[0], json!({"date": "2026-02-09", "page_views": 9, "requests": 18}));
    assert_eq!(rows[6], json!({"date": "2026-02-03", "page_views": 3, "requests": 6}));
    let read = &tables.read.borrow()[0];
    assert_eq!(read.fields, named(&["page_views", "requests"]));
    assert!(read.keys.descending && read.keys.rows == Some(7) && !read.payload);
}

#[tokio::test]
async fn queries_that_people_write_are_answered() {
    let tables = Tables::daily().with(
        "app/users",
        &[("7", json!({"name": "Ann", "tags": ["a", "b"], "paid": true})), ("8", json!({"name": "Bo"}))],
    );
    for (statement, expected) in [
        ("SELECT sum(page_views) AS n FROM \"analytics/daily\"", json!([{"n": 45}])),
        ("SELECT count(*) AS n FROM \"analytics/daily\"", json!([{"n": 9}])),
        ("SELECT \"POST /drop\" AS n FROM \"analytics/daily\" WHERE key = '2026-02-02'", json!([{"n": 1}])),
        ("SELECT `POST /drop` AS n FROM [analytics/daily] LIMIT 1;", json!([{"n": 1}])),
        (
            "SELECT substr(key, 1, 7) AS m, max(requests) AS r FROM \"analytics/daily\" GROUP BY m",
            json!([{"m": "2026-02", "r": 18}]),
        ),
        (
            "SELECT name, paid, tags ->> '$[1]' AS tag FROM \"app/users\"",
            json!([{"name": "Ann", "paid": 1, "tag": "b"}, {"name": "Bo", "paid": null, "tag": null}]),
        ),
        (
            "SELECT d.key FROM \"analytics/daily\" d JOIN \"app/users\" u ON u.key = d.page_views || ''",
            json!([{"key": "2026-02-07"}, {"key": "2026-02-08"}]),
        ),
        (
            "SELECT d.page_views AS v, u.name FROM \"analytics/daily\" d, \"app/users\" u WHERE d.page_views = 1 AND u.paid",
            json!([{"v": 1, "name": "Ann"}]),
        ),
        (
            "WITH last AS (SELECT key AS day, requests FROM \"analytics/daily\") SELECT count(*) AS n FROM last WHERE requests > 10",
            json!([{"n": 4}]),
        ),
        (
            "SELECT key, row_number() OVER (ORDER BY name DESC) AS place FROM \"app/users\" ORDER BY key",
            json!([{"key": "7", "place": 2}, {"key": "8", "place": 1}]),
        ),
        (
            "SELECT key FROM \"app/users\" WHERE name LIKE 'a%' UNION SELECT 'x' ORDER BY 1 DESC",
            json!([{"key": "x"}, {"key": "7"}]),
        ),
        ("SELECT payload ->> 'name' AS name FROM \"app/users\" WHERE key = '8'", json!([{"name": "Bo"}])),
        (
            "SELECT * FROM \"app/users\" WHERE key = '7'",
            json!([{"key": "7", "name": "Ann", "paid": 1, "tags": "[\"a\",\"b\"]"}]),
        ),
        (
            "SELECT u.* FROM \"app/users\" u WHERE name = 'Bo'",
            json!([{"key": "8", "name": "Bo", "paid": null, "tags": null}]),
        ),
        (
            "SELECT key FROM \"app/users\" WHERE key IN (SELECT name FROM \"analytics/daily\") OR key = '8'",
            json!([{"key": "8"}]),
        ),
        ("SELECT name FROM \"app/users\" JOIN (SELECT 1 AS paid) USING (paid)", json!([{"name": "Ann"}])),
        (
            "SELECT *, u.name AS n FROM \"app/users\" u WHERE paid",
            json!([{"key": "7", "name": "Ann", "paid": 1, "tags": "[\"a\",\"b\"]", "n": "Ann"}]),
        ),
        ("SELECT count(*) AS n FROM \"app/users\" NATURAL JOIN (SELECT 'Bo' AS name)", json!([{"n": 1}])),
        ("SELECT 1 AS one", json!([{"one": 1}])),
        ("VALUES ('a')", json!([{"column1": "a"}])),
        (
            "SELECT 9e999 AS n, x'00ff' AS b, CAST(x'ff' AS TEXT) AS t",
            json!([{"n": null, "b": "00FF", "t": "\u{fffd}"}]),
        ),
    ] {
        assert_eq!(tables.rows(statement).await, expected, "{statement}");
    }
}

#[tokio::test]
async fn parameters_are_values_and_never_sql() {
    let tables = Tables::daily();
    let statement = "SELECT key FROM \"analytics/daily\" WHERE page_views = ? AND key < ?";
    let answer = tables.ask_with(statement, &json!([3, "2026-02-05"])).await.expect("an answer");
    assert_eq!(answer.rows.len(), 1);
    assert_eq!(tables.read.borrow()[0].keys.high, std::ops::Bound::Excluded("2026-02-05".to_owned()));
    let named = "SELECT count(*) AS n FROM \"analytics/daily\" WHERE key >= :from AND title = $title";
    let given = json!({"from": "2026-02-08", ":title": "é"});
    assert_eq!(
        tables.ask_with(named, &given).await.expect("an answer").json(),
        "{\"columns\":[\"n\"],\"rows\":[{\"n\":2}],\"truncated\":false}"
    );
    let hostile = json!(["x' OR 1=1; DROP TABLE a --"]);
    let none = tables.ask_with("SELECT key FROM \"analytics/daily\" WHERE key = ?", &hostile).await;
    assert_eq!(none.expect("an answer").rows, Vec::<Vec<_>>::new());
    for (given, expected) in [
        (json!([]), "the parameter number 1 has no value in params"),
        (json!([1, 2]), "params has 2 values, but the statement has 1 parameters"),
        (json!([[1]]), "the parameter number 1 must be a text, a number, true, false or null"),
        (json!("x"), "params must be a list of values for ?, or an object with values for :name"),
        (json!(vec![1; 65]), "a statement has at most 64 parameters, params has 65"),
    ] {
        let refused = tables.ask_with("SELECT ?", &given).await.expect_err("a refusal");
        assert_eq!(refused.to_string(), expected);
    }
    let unused = tables.ask_with("SELECT :a", &json!({"a": 1, "b": 1})).await.expect_err("a refusal");
    assert_eq!(unused.to_string(), "the statement has no parameter :b");
    let missing = tables.ask("SELECT :a").await.expect_err("a refusal");
    assert_eq!(missing.to_string(), "the parameter :a has no value in params");
}

#[tokio::test]
async fn an_unknown_field_is_refused_and_the_nearest_is_named() {
    let tables = Tables::daily();
    for (field, expected) in [
        ("page_view", "there is no field \"page_view\"; did you mean \"page_views\"?"),
        ("Page_Views", "there is no field \"Page_Views\"; did you mean \"page_views\"?"),
        ("\"POST /drops\"", "there is no field \"POST /drops\"; did you mean \"POST /drop\"?"),
        ("a.requets", "there is no field \"a.requets\"; did you mean \"requests\"?"),
        (
            "rowid",
            "there is no field \"rowid\"; there are \"POST /drop\", \"key\", \"page_views\", \"payload\", \"requests\", \"title\"",
        ),
    ] {
        let statement = format!("SELECT {field} FROM \"analytics/daily\" a");
        assert_eq!(tables.refusal(&statement).await, expected);
    }
}

#[tokio::test]
async fn a_field_that_only_other_entities_have_has_no_value() {
    let tables = Tables::default().with("a", &[("1", json!({"x": 1})), ("2", json!({"y": 2}))]);
    assert_eq!(tables.rows("SELECT x, y FROM a WHERE key = '1'").await, json!([{"x": 1, "y": null}]));
    assert_eq!(tables.rows("SELECT y FROM a WHERE key = '3'").await, json!([]));
    assert!(tables.refusal("SELECT z FROM a WHERE key = '3'").await.starts_with("there is no field \"z\""));
}

#[tokio::test]
async fn an_unknown_route_is_an_empty_table_with_a_warning() {
    let tables = Tables::daily();
    for statement in [
        "SELECT key, anything FROM \"analytics/dayly\"",
        "SELECT a.x, b.page_views FROM \"analytics/dayly\" a JOIN \"analytics/daily\" b ON a.y = b.key",
        "SELECT x FROM \"analytics/daily\" b, \"analytics/dayly\" a",
    ] {
        let answer = tables.ask(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        assert_eq!(answer.rows.len(), 0);
        assert_eq!(
            answer.warnings,
            ["there are no entities with the route \"analytics/dayly\""],
            "{statement}"
        );
    }
    let all = tables.ask("SELECT *, x FROM nowhere WHERE y").await.expect("an answer");
    assert_eq!(all.columns, ["key", "x", "y", "x_2"]);
    let counted = tables.ask("SELECT count(*) FROM nowhere").await.expect("an answer");
    assert_eq!(counted.rows, [[super::super::Cell::Integer(0)]]);
}

#[tokio::test]
async fn names_that_differ_only_in_capitals_are_never_mixed_up() {
    let tables =
        Tables::default().with("a", &[("1", json!({"x": 1, "X": 2, "KEY": 3, "Payload": 4, "": 5}))]);
    let answer = tables.ask("SELECT * FROM a").await.expect("an answer");
    assert_eq!(
        answer.json(),
        r#"{"columns":["key","","X"],"rows":[{"key":"1","":5,"X":2}],"truncated":false,"warnings":["the field \"x\" of \"a\" is left out: its name differs from \"X\" only in capitals","fields of \"a\" are left out whose names no column can have, \"KEY\" for one; read payload instead"]}"#
    );
    assert_eq!(tables.rows("SELECT x FROM a").await, json!([{"x": 1}]));
    assert_eq!(
        tables.refusal("SELECT x, X FROM a").await,
        "the fields \"X\" and \"x\" differ only in capitals, which SQL cannot tell apart; read payload instead"
    );
    assert_eq!(tables.rows("SELECT payload ->> 'KEY' AS k FROM a").await, json!([{"k": 3}]));
}

#[tokio::test]
async fn long_answers_end_and_say_so() {
    let many: Vec<(String, Value)> = (0..2_000).map(|n| (format!("{n:04}"), json!({"n": n}))).collect();
    let many: Vec<(&str, Value)> = many.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let tables = Tables::default().with("many", &many);
    let answer = tables.ask("SELECT * FROM many").await.expect("an answer");
    assert_eq!((answer.rows.len(), answer.truncated), (1000, true));
    assert_eq!(tables.read.borrow()[0].keys.rows, Some(1001));
    let exact = tables.ask("SELECT n FROM many WHERE n < 1000").await.expect("an answer");
    assert_eq!((exact.rows.len(), exact.truncated), (1000, false));
    // Each row has 40 kB.
    let wide = "WITH w AS (SELECT group_concat(n, 'xxxxxxxxxxxxxxxx') AS t FROM many) SELECT t FROM w, many";
    let answer = tables.ask(wide).await.expect("an answer");
    assert!(answer.truncated && answer.rows.len() < 120, "{}", answer.rows.len());
}

#[tokio::test]
async fn tables_that_are_too_large_are_refused() {
    let many: Vec<(String, Value)> =
        (0..300).map(|n| (format!("{n:04}"), json!({format!("f{n}"): n}))).collect();
    let many: Vec<(&str, Value)> = many.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let tables = Tables::default().with("many", &many);
    assert_eq!(
        tables.refusal("SELECT * FROM many").await,
        "the entities of \"many\" have more than 256 different fields; name those you need in place of *, or read payload"
    );
    assert_eq!(
        tables.rows("SELECT count(f299) AS n, count(payload) AS p FROM many").await,
        json!([{"n": 1, "p": 300}])
    );
    let million: Vec<(String, Value)> = (0..20_001).map(|n| (format!("{n:07}"), json!({"n": n}))).collect();
    let million: Vec<(&str, Value)> =
        million.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let tables = tables.with("million", &million);
    assert_eq!(
        tables.refusal("SELECT sum(n) FROM million LIMIT 1000000").await,
        "the statement would read more than 20000 entities of \"million\", or more than 32 MiB in all; bound key (WHERE key >= …), or name fewer fields"
    );
    assert_eq!(
        tables.rows("SELECT count(*) AS n FROM million WHERE key < '0020000'").await,
        json!([{"n": 20_000}])
    );
    // Each of these tables may be read by itself, and not all of them by one statement.
    let long: Vec<(String, Value)> =
        (0..1_000).map(|n| (format!("{n:04}"), json!({"text": "x".repeat(12_000)}))).collect();
    let long: Vec<(&str, Value)> = long.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let tables = ["a", "b", "c"].into_iter().fold(tables, |tables, name| tables.with(name, &long));
    assert_eq!(tables.rows("SELECT count(text) AS n FROM c").await, json!([{"n": 1_000}]));
    assert_eq!(
        tables.refusal("SELECT count(a.text), count(b.text), count(c.text) FROM a, b, c WHERE a.key = b.key AND b.key = c.key").await,
        "the statement would read more than 20000 entities of \"c\", or more than 32 MiB in all; bound key (WHERE key >= …), or name fewer fields"
    );
    let statement =
        format!("SELECT 1 FROM {}", (0..9).map(|n| format!("t{n}")).collect::<Vec<_>>().join(", "));
    assert_eq!(tables.refusal(&statement).await, "a statement reads at most 8 tables");
}

#[tokio::test]
async fn fields_whose_names_no_column_can_have_are_warned_of() {
    let answer = async |fields: Value, statement: &str| {
        let tables = Tables::default().with("a", &[("1", fields)]);
        serde_json::from_str::<Value>(&tables.ask(statement).await.expect(statement).json()).expect("JSON")
    };
    for name in ["a\0b", "\0", "key", "Payload"] {
        let shown = answer(json!({name: 5, "n": 1}), "SELECT * FROM a").await;
        let warning = format!(
            "fields of \"a\" are left out whose names no column can have, {name:?} for one; read payload instead"
        );
        assert_eq!((&shown["rows"], &shown["warnings"]), (&json!([{"key": "1", "n": 1}]), &json!([warning])));
        // JSON writes a NUL with an escape, and so does the path of a statement.
        let escaped = name.replace('\0', "\\u0000");
        let statement = format!("SELECT payload ->> '$.\"{escaped}\"' AS n FROM a");
        assert_eq!(answer(json!({name: 5}), &statement).await["rows"], json!([{"n": 5}]), "{name:?}");
        assert_eq!(
            answer(json!({name: 5}), "SELECT key FROM a").await.get("warnings"),
            None,
            "nothing is left out"
        );
    }
    for name in [
        "\u{2}", "\u{7f}", "a\nb", "a\"b", "a]b", "a`b", "'", "a.b", "\u{202e}", "é", "SELECT", "rowid",
        "a;b", "--",
    ] {
        let shown = answer(json!({name: 5}), "SELECT * FROM a").await;
        assert_eq!(
            (&shown["rows"], shown.get("warnings")),
            (&json!([{"key": "1", name: 5}]), None),
            "{name:?}"
        );
        let named = format!("SELECT \"{}\" AS n FROM a", name.replace('"', "\"\""));
        assert_eq!(answer(json!({name: 5}), &named).await["rows"], json!([{"n": 5}]), "{name:?}");
    }
}

#[tokio::test]
async fn two_routes_that_differ_only_in_capitals_are_not_one_table() {
    let tables =
        Tables::default().with("Daily", &[("1", json!({"n": 1}))]).with("daily", &[("1", json!({"n": 2}))]);
    assert_eq!(tables.rows("SELECT n FROM Daily").await, json!([{"n": 1}]));
    assert_eq!(tables.rows("SELECT n FROM daily").await, json!([{"n": 2}]));
    let both = "the routes \"Daily\" and \"daily\" differ only in capitals";
    for statement in [
        "SELECT a.n, b.n FROM Daily a JOIN daily b USING (key)",
        "SELECT n FROM \"Daily\" UNION ALL SELECT n FROM [daily]",
        "SELECT Daily.n FROM Daily WHERE key IN (SELECT key FROM daily)",
        "SELECT Daily.*, d.n FROM Daily, daily d",
        "SELECT Daily.* FROM daily WHERE key IN (SELECT key FROM Daily)",
        "SELECT n FROM Daily, (WITH x AS (SELECT key AS k FROM `daily`) SELECT k FROM x)",
    ] {
        let refusal = tables.refusal(statement).await;
        assert!(refusal.starts_with(both), "{statement}: {refusal}");
    }
    // Aliases, columns of the answer and texts are no tables.
    for (statement, expected) in [
        ("SELECT n AS Daily FROM daily", json!([{"Daily": 2}])),
        ("SELECT 'Daily' AS t FROM daily", json!([{"t": "Daily"}])),
        ("SELECT n FROM daily AS Daily WHERE Daily.key = '1'", json!([{"n": 2}])),
    ] {
        assert_eq!(tables.rows(statement).await, expected, "{statement}");
    }
}

#[tokio::test]
async fn a_field_may_have_the_name_of_its_route_in_other_capitals() {
    let tables = Tables::default()
        .with("daily", &[("1", json!({"Daily": 3, "n": 2})), ("2", json!({"Daily": 1, "n": 4}))])
        .with("views", &[("1", json!({"n": 5}))]);
    for (statement, expected) in [
        ("SELECT Daily FROM daily WHERE key = '1'", json!([{"Daily": 3}])),
        ("SELECT daily.\"Daily\" FROM daily WHERE key = '1'", json!([{"Daily": 3}])),
        ("SELECT Daily.n, Daily.Daily FROM daily LIMIT 1", json!([{"n": 2, "Daily": 3}])),
        ("SELECT Daily.* FROM daily WHERE key = '1'", json!([{"key": "1", "Daily": 3, "n": 2}])),
        ("SELECT Views.*, a.n AS a FROM views, daily a LIMIT 1", json!([{"key": "1", "n": 5, "a": 2}])),
        ("SELECT DAILY . * FROM daily LIMIT 1", json!([{"key": "1", "Daily": 3, "n": 2}])),
        ("SELECT n FROM daily WHERE Daily > 1", json!([{"n": 2}])),
        ("SELECT n FROM daily ORDER BY Daily", json!([{"n": 4}, {"n": 2}])),
        ("SELECT sum(Daily) AS s, sum(n) AS n FROM daily", json!([{"s": 4, "n": 6}])),
        ("SELECT views.n, a.Daily FROM daily a JOIN views USING (key)", json!([{"n": 5, "Daily": 3}])),
    ] {
        assert_eq!(tables.rows(statement).await, expected, "{statement}");
    }
    for (field, expected) in [
        ("Dayly", "there is no field \"Dayly\"; did you mean \"Daily\"?"),
        ("DAILY", "there is no field \"DAILY\"; did you mean \"Daily\"?"),
    ] {
        assert_eq!(tables.refusal(&format!("SELECT {field} FROM daily")).await, expected);
    }
    let none = "there is no field \"Views\"; there are \"key\", \"n\", \"payload\"";
    assert_eq!(tables.refusal("SELECT Views FROM views").await, none);
}
