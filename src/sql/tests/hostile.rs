//! Statements that try to do harm.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::*;
use crate::sql::Runner;

/// Time enough for a statement that is stopped after a second, on a machine that is busy.
const AT_MOST: Duration = Duration::from_secs(20);

/// Entities whose self-joins have more rows than can be read in time.
fn many() -> Tables {
    let many: Vec<(String, Value)> =
        (0..400).map(|n| (format!("{n:04}"), json!({"n": n, "text": "a".repeat(200)}))).collect();
    let many: Vec<(&str, Value)> = many.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    Tables::default().with("t", &many)
}

#[tokio::test]
async fn statements_without_an_end_are_stopped() {
    let tables = many();
    let is_stopped = async |statement: &'static str| {
        let begun = Instant::now();
        let refused = tables.refusal(statement).await;
        let expected =
            "the statement was stopped after 1s; bound key (WHERE key >= …), or join and sort less";
        assert_eq!(refused, expected, "{statement}");
        assert!(begun.elapsed() < AT_MOST, "{statement}: {:?}", begun.elapsed());
    };
    // All at the same time, each on a thread of its own: together they take little longer than one.
    let statements = [
        "SELECT count(*) FROM t a, t b, t c, t d",
        "SELECT count(*) FROM t a, t b, t c, t d, t e, t f, t g, t h, t i",
        "SELECT a.text || i.text AS x FROM t a, t b, t c, t d, t e, t f, t g, t h, t i ORDER BY x DESC",
        "SELECT sum(a.n * b.n) FROM t a, t b, t c, t d WHERE a.text || b.n < b.text || c.n",
        "SELECT a.text || b.text AS x FROM t a, t b, t c, t d ORDER BY x DESC",
        "SELECT count(DISTINCT a.text || b.n || c.n) FROM t a, t b, t c",
        "SELECT count(*) FROM (SELECT a.text || b.n || c.n AS x FROM t a, t b, t c GROUP BY x)",
        "SELECT sum(n) OVER (ORDER BY x) FROM (SELECT a.n, a.text || b.n || c.n AS x FROM t a, t b, t c)",
        "SELECT key FROM t WHERE (SELECT count(*) FROM t a, t b, t c WHERE a.n + b.n + c.n = t.n) > 1e9",
        "SELECT sum(instr(a.x, b.x || 'b')) FROM (SELECT replace(text, 'a', text) AS x FROM t) a, (SELECT substr(replace(text, 'a', text), 1, 20000) AS x FROM t) b",
    ];
    join_all(statements.map(is_stopped)).await;
}

#[tokio::test]
async fn a_statement_of_many_calls_on_long_texts_ends_soon() {
    // Each call compares 60,000 characters with 5,401 others, which takes half a second with SQLite's own function.
    let texts = json!({"x": "b".repeat(15_000), "y": "a".repeat(5_400)});
    let tables = Tables::default().with("t", &[("1", texts)]);
    let calls = vec!["length(trim(x, y))"; 40].join(" + ");
    let statement = format!("SELECT {calls} AS n FROM (SELECT x || x || x || x AS x, y || 'b' AS y FROM t)");
    let begun = Instant::now();
    // On a busy machine its second may be over before.
    if let Err(refused) = tables.ask(&statement).await {
        assert!(refused.to_string().starts_with("the statement was stopped after 1s"), "{refused}");
    }
    assert!(begun.elapsed() < AT_MOST / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_caller_may_give_less_time() {
    let tables = many();
    let query =
        Query::parse("SELECT count(*) FROM t a, t b, t c, t d", Parameters::default()).expect("a query");
    let refused = query.within(Duration::from_millis(20)).answer(&tables).await.expect_err("a refusal");
    assert!(
        matches!(refused, QueryError::Statement(SqlError::OutOfTime(time)) if time == Duration::from_millis(20))
    );
}

#[tokio::test]
async fn texts_that_grow_are_refused() {
    let tables = many();
    for statement in [
        "SELECT group_concat(a.text) FROM t a, t b",
        "SELECT replace(replace(replace(text, 'a', text), 'a', text), 'a', text) FROM t",
        "SELECT hex(hex(hex(hex(hex(hex(hex(hex(hex(text))))))))) FROM t",
    ] {
        assert_eq!(
            tables.refusal(statement).await,
            "a text or a row became longer than 65536 bytes",
            "{statement}"
        );
    }
}

#[tokio::test]
async fn functions_that_are_not_listed_are_refused() {
    let tables = Tables::daily();
    for (function, call) in [
        ("json_group_array", "json_group_array(1)"),
        ("json_group_object", "json_group_object(1, 2)"),
        ("randomblob", "randomblob(1000000000)"),
        ("zeroblob", "zeroblob(1000000000)"),
        ("printf", "printf('%1000000000d', 1)"),
        ("format", "format('%*d', 1000000000, 1)"),
        ("random", "random()"),
        ("sqlite_version", "sqlite_version()"),
        ("sqlite_compileoption_get", "sqlite_compileoption_get(0)"),
        ("sqlite_source_id", "sqlite_source_id()"),
        ("changes", "changes()"),
        ("sqlite_log", "sqlite_log(1, 'x')"),
    ] {
        let expected = format!("the function {function} is not available here");
        assert_eq!(tables.refusal(&format!("SELECT {call}")).await, expected);
        let hidden = format!("SELECT key FROM \"analytics/daily\" WHERE key = /* ; */ ({call}) -- x");
        assert_eq!(tables.refusal(&hidden).await, expected);
    }
    for call in [
        "load_extension('/tmp/x.so')",
        "fts3_tokenizer('simple')",
        "fts3_tokenizer('simple', x'0000')",
        "readfile('/etc/passwd')",
        "writefile('/tmp/x', 'y')",
        "edit('x')",
        "lsdir('/')",
        "fsdir('/')",
        "eval('SELECT 1')",
    ] {
        let refused = tables.refusal(&format!("SELECT {call}")).await;
        assert!(refused.starts_with("no such function: "), "{refused}");
    }
}

#[tokio::test]
async fn tables_of_sqlite_and_table_valued_functions_are_refused() {
    let tables = Tables::daily();
    for from in [
        "sqlite_master",
        "sqlite_schema",
        "sqlite_temp_master",
        "main.sqlite_master",
        "SQLITE_MASTER",
        "temp.sqlite_schema",
        "pragma_table_list",
        "pragma_database_list",
        "pragma_function_list()",
        "pragma_compile_options",
        "json_each('[1]')",
        "json_tree('[1]')",
        "\"pragma_module_list\"",
    ] {
        for columns in ["*", "count(*)", "1"] {
            let statement = format!("SELECT {columns} FROM {from}");
            let refused = tables.refusal(&statement).await;
            assert!(
                refused.contains("not available here") || refused.contains("can only read entities"),
                "{statement}: {refused}"
            );
        }
    }
    // These are no tables here, so they are routes without entities.
    for from in ["dbstat", "sqlean_x", "temp_master", "information_schema"] {
        assert_eq!(tables.rows(&format!("SELECT * FROM {from}")).await, json!([]));
    }
    for (statement, expected) in [
        ("SELECT * FROM sqlite_dbpage", "no such table: sqlite_dbpage"),
        ("SELECT * FROM other.t", "no such table: other.t"),
        ("SELECT * FROM readfile('/etc/passwd')", "no such table: readfile"),
        ("SELECT * FROM fts3tokenize('simple')", "no such table: fts3tokenize"),
    ] {
        let refused = tables.refusal(statement).await;
        assert!(
            refused.starts_with(expected) || refused.contains("is not a function"),
            "{statement}: {refused}"
        );
    }
}

#[tokio::test]
async fn everything_that_is_no_query_is_refused() {
    let tables = Tables::daily();
    for statement in [
        "ATTACH '/tmp/x.db' AS x",
        "DETACH main",
        "PRAGMA writable_schema = ON",
        "PRAGMA table_list",
        "VACUUM INTO '/tmp/x'",
        "INSERT INTO \"analytics/daily\" VALUES (1)",
        "UPDATE \"analytics/daily\" SET page_views = 0",
        "DELETE FROM \"analytics/daily\"",
        "REPLACE INTO \"analytics/daily\" VALUES (1)",
        "CREATE TABLE x (y)",
        "CREATE TEMP VIEW x AS SELECT 1",
        "DROP TABLE \"analytics/daily\"",
        "ALTER TABLE \"analytics/daily\" ADD x",
        "CREATE VIRTUAL TABLE x USING fts5(y)",
        "CREATE TRIGGER x AFTER INSERT ON y BEGIN SELECT 1; END",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT a",
        "REINDEX",
        "ANALYZE",
        "EXPLAIN SELECT 1",
        "EXPLAIN QUERY PLAN SELECT 1",
        ".read /etc/passwd",
    ] {
        let refused = tables.refusal(statement).await;
        assert!(
            refused.starts_with("a statement must begin with SELECT, WITH or VALUES")
                || refused.starts_with("there is more than one"),
            "{statement}: {refused}"
        );
    }
    for statement in [
        "WITH x AS (SELECT 1) DELETE FROM \"analytics/daily\"",
        "WITH x AS (SELECT 1) INSERT INTO \"analytics/daily\" (key) SELECT 1",
        "WITH x AS (SELECT 1) UPDATE \"analytics/daily\" SET key = 1",
        "SELECT key FROM (DELETE FROM \"analytics/daily\" RETURNING key)",
    ] {
        let refused = tables.refusal(statement).await;
        assert!(
            refused.contains("can only read") || refused.contains("syntax error"),
            "{statement}: {refused}"
        );
    }
    for statement in [
        "SELECT 1; SELECT 2",
        "SELECT 1;; --\n SELECT 2",
        "SELECT 1; ATTACH 'x' AS y",
        "SELECT 1; /* */ ; DROP TABLE t",
    ] {
        assert_eq!(
            tables.refusal(statement).await,
            "there is more than one statement; send one",
            "{statement}"
        );
    }
}

#[tokio::test]
async fn recursion_is_refused() {
    let tables = Tables::daily();
    for statement in [
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
        "WITH c(x) AS (VALUES (1) UNION SELECT x + 1 FROM c) SELECT x FROM c",
        "SELECT (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c)",
    ] {
        assert_eq!(
            tables.refusal(statement).await,
            "recursive queries are not available here",
            "{statement}"
        );
    }
}

#[tokio::test]
async fn statements_that_are_hard_to_prepare_are_refused_in_time() {
    let tables = many();
    let nested = |inner: &str, count: usize| format!("{}1{}", inner.repeat(count), ")".repeat(count));
    let doubling = (1..15).fold("WITH c0 AS (SELECT n FROM t)".to_owned(), |sql, n| {
        format!("{sql}, c{n} AS (SELECT a.n FROM c{before} a, c{before} b)", before = n - 1)
    });
    for statement in [
        format!("SELECT {}", nested("abs(", 3_000)),
        format!("SELECT {}", nested("(", 8_000)),
        format!("SELECT {}1", "NOT ".repeat(4_000)),
        format!("SELECT {}1", "- ".repeat(8_000)),
        format!("SELECT {}", vec!["1"; 8_000].join(",")),
        format!("SELECT {}", vec!["1"; 8_000].join("+")),
        format!("SELECT 1 IN ({})", vec!["n"; 8_000].join(",")),
        format!("SELECT 1 FROM {}", vec!["t"; 65].join(",")),
        format!("SELECT 1 {}", "UNION SELECT 1 ".repeat(15)),
        format!("SELECT 1 {}", "UNION SELECT 1 ".repeat(900)),
        format!("VALUES {}", vec!["(SELECT 1)"; 1_000].join(",")),
        format!("SELECT count(*) FROM {}", vec!["t"; 60].join(" NATURAL JOIN ")),
        format!("{doubling} SELECT count(*) FROM c14"),
        format!("SELECT coalesce({})", vec!["1"; 100].join(",")),
        format!("SELECT '{}' LIKE '{}'", "a".repeat(8_000), "%a".repeat(3_000)),
        format!("SELECT ?{}", 65),
        "SELECT 'never closed".to_owned(),
        "SELECT \"never closed".to_owned(),
        "SELECT [never closed".to_owned(),
        "SELECT /* never closed".to_owned(),
        "SELECT".to_owned(),
        "SELECT * FROM".to_owned(),
        "SELECT 1 FROM t LIMIT 1 LIMIT 1".to_owned(),
        "SELECT \u{0}1".to_owned(),
        "SELECT 1\u{1}".to_owned(),
        "SELECT 'x' \u{2028} x \u{202e}".to_owned(),
    ] {
        let begun = Instant::now();
        let shown: String = statement.chars().take(60).collect();
        let refused = tables.ask(&statement).await.err().map(|error| error.to_string());
        let refused = refused.unwrap_or_else(|| panic!("{shown} was answered"));
        assert!(refused.len() < 400, "{shown}: {refused}");
        assert!(begun.elapsed() < AT_MOST, "{shown}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn two_statements_run_at_once_and_others_wait_for_a_second() {
    let (tables, runner) = (many(), Runner::default());
    let slow =
        || Query::parse("SELECT count(*) FROM t a, t b, t c, t d", Parameters::default()).expect("a query");
    let answers = join_all((0..40).map(|_| runner.answer(slow(), &tables))).await;
    let count = |is: fn(&QueryError<Infallible>) -> bool| {
        answers.iter().filter(|answer| answer.as_ref().err().is_some_and(is)).count()
    };
    let stopped = count(|error| matches!(error, QueryError::Statement(SqlError::OutOfTime(_))));
    let busy = count(|error| matches!(error, QueryError::Busy));
    assert!((2..=6).contains(&stopped) && stopped + busy == 40, "{stopped} {busy}");
    let quick = Query::parse("SELECT 1", Parameters::default()).expect("a query");
    assert!(runner.answer(quick, &tables).await.is_ok());
}

#[tokio::test]
async fn a_statement_ends_when_nobody_waits_for_it() {
    let tables = many();
    let query =
        Query::parse("SELECT count(*) FROM t a, t b, t c, t d", Parameters::default()).expect("a query");
    let left = tokio::time::timeout(Duration::from_millis(100), query.answer(&tables)).await;
    assert!(left.is_err(), "the statement has ended by itself");
    // The end of the runtime waits for the thread of the statement.
}

#[tokio::test]
async fn the_place_of_a_mistake_is_named() {
    let tables = Tables::daily();
    for (statement, expected) in [
        (
            "SELECT key\nFORM \"analytics/daily\"",
            "near \"\"analytics/daily\"\": syntax error, at line 2, column 6",
        ),
        (
            "SELECT key FROM analytics/daily",
            "near \"/\": syntax error, at line 1, column 26; the name of a route stands in double quotes, like \
             \"analytics/daily\"",
        ),
        ("SELECT é, 'x FROM t", "unrecognized token: \"'x FROM t\", at line 1, column 11"),
        ("SELECT key FROM \"analytics/daily\" WHERE", "incomplete input"),
    ] {
        assert_eq!(tables.refusal(statement).await, expected);
    }
}
