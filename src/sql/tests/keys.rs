//! Which keys are read for a statement.

use std::ops::Bound;

use proptest::prelude::*;

use super::*;
use crate::sql::KeyRange;

/// The keys that a statement reads of `t`, and of a table beside it.
async fn keys(condition: &str) -> KeyRange {
    let tables =
        Tables::default().with("t", &[("a", json!({"x": 1, "y": 2}))]).with("u", &[("a", json!({"x": 1}))]);
    tables.ask(condition).await.unwrap_or_else(|error| panic!("{condition}: {error}"));
    tables.read.borrow()[0].keys.clone()
}

#[tokio::test]
async fn simple_bounds_on_the_key_are_pushed_down() {
    let included = |text: &str| Bound::Included(text.to_owned());
    let excluded = |text: &str| Bound::Excluded(text.to_owned());
    for (condition, low, high) in [
        ("key = 'a'", included("a"), included("a")),
        ("\"KEY\" == 'a' AND x > 1", included("a"), included("a")),
        ("key >= 'a' AND key < 'b'", included("a"), excluded("b")),
        ("t.key > 'a' AND t.key <= 'b' AND (x OR y)", excluded("a"), included("b")),
        ("key > 'a' AND key > 'b' AND key >= 'a'", excluded("b"), Bound::Unbounded),
        ("key BETWEEN 'a' AND 'b'", included("a"), included("b")),
        ("key LIKE '2026-02-%'", included("2026-02-"), excluded("2026-02-\u{80}")),
        ("key LIKE '20a%'", included("20"), excluded("20\u{80}")),
        ("key GLOB 'ab*c'", included("ab"), excluded("ab\u{80}")),
    ] {
        let range = keys(&format!("SELECT x FROM t WHERE {condition}")).await;
        assert_eq!((range.low, range.high), (low, high), "{condition}");
    }
}

#[tokio::test]
async fn other_conditions_push_nothing_down() {
    for rest in [
        "WHERE key >= 'a' OR x",
        "WHERE NOT key = 'a'",
        "WHERE key != 'a'",
        "WHERE key = 'a' COLLATE NOCASE",
        "WHERE key > 'a' = 0",
        "WHERE x BETWEEN y AND key >= 'a'",
        "WHERE CASE WHEN x AND key = 'a' THEN 0 ELSE 1 END",
        "WHERE (key = 'a') = 0",
        "WHERE key LIKE 'a%'",
        "WHERE key NOT LIKE '1%'",
        "WHERE key = 5",
        "JOIN u ON t.key = u.key WHERE t.key = 'a'",
        ", u WHERE t.key = 'a'",
        "WHERE 'a' = (SELECT 'a') AND key = 'a'",
        "WHERE x UNION SELECT x FROM t WHERE key = 'a'",
        "GROUP BY key HAVING key = 'a'",
    ] {
        let range = keys(&format!("SELECT t.x FROM t {rest}")).await;
        assert_eq!((range.low, range.high), (Bound::Unbounded, Bound::Unbounded), "{rest}");
    }
}

#[tokio::test]
async fn first_rows_suffice_only_where_the_order_is_that_of_the_keys() {
    for (statement, expected) in [
        ("SELECT x FROM t ORDER BY key DESC LIMIT 7", (Some(7), true)),
        ("SELECT key AS date, upper(x) FROM t AS u ORDER BY u.key ASC LIMIT 7 OFFSET 3", (Some(10), false)),
        ("SELECT x FROM t WHERE key >= 'a' ORDER BY key LIMIT 7", (Some(7), false)),
        ("SELECT x FROM t LIMIT 7", (Some(7), false)),
        ("SELECT x FROM t ORDER BY key DESC", (Some(1001), true)),
        ("SELECT x FROM t WHERE x ORDER BY key LIMIT 7", (None, false)),
        ("SELECT x FROM t WHERE key LIKE '2%' ORDER BY key LIMIT 7", (None, false)),
        ("SELECT x FROM t ORDER BY x LIMIT 7", (None, false)),
        ("SELECT x FROM t ORDER BY key, x LIMIT 7", (None, false)),
        ("SELECT x AS key FROM t ORDER BY key LIMIT 7", (None, false)),
        ("SELECT x \"KEY\" FROM t ORDER BY key LIMIT 7", (None, false)),
        ("SELECT x AS 'key' FROM t ORDER BY key LIMIT 7", (None, false)),
        ("SELECT count(*) FROM t ORDER BY key LIMIT 7", (None, false)),
        ("SELECT max(x) FROM t LIMIT 7", (None, false)),
        ("SELECT DISTINCT x FROM t ORDER BY key LIMIT 7", (None, false)),
        ("SELECT x FROM t GROUP BY x ORDER BY key LIMIT 7", (None, false)),
        ("SELECT sum(x) OVER () FROM t ORDER BY key LIMIT 7", (None, false)),
        ("SELECT x FROM t ORDER BY key LIMIT -1", (None, false)),
        ("SELECT x FROM t ORDER BY key LIMIT 1, 7", (None, false)),
        ("SELECT x FROM t ORDER BY key COLLATE NOCASE LIMIT 7", (None, false)),
        ("SELECT x FROM t ORDER BY x + (SELECT 1) LIMIT 7", (None, false)),
    ] {
        let range = keys(statement).await;
        assert_eq!((range.rows, range.descending), expected, "{statement}");
    }
}

/// A condition on small keys and values.
fn condition() -> impl Strategy<Value = String> {
    let text = prop::sample::select(vec!["'a'", "'b'", "'c'", "'B'", "'1'", "'1%'", "'b*'", "1", "x"]);
    let operator = prop::sample::select(vec!["=", "<", "<=", ">", ">=", "LIKE", "GLOB", "!=", "IS"]);
    let name = prop::sample::select(vec!["key", "t.key", "x", "\"KEY\"", "NOT key"]);
    let leaf = (name, operator, text).prop_map(|(name, operator, text)| format!("{name} {operator} {text}"));
    leaf.prop_recursive(3, 8, 3, |inner| {
        let joint =
            prop::sample::select(vec!["AND", "OR", "AND key BETWEEN 'a' AND", "= 0 AND", "BETWEEN x AND"]);
        let brackets = any::<bool>();
        (inner.clone(), joint, inner, brackets).prop_map(|(one, joint, other, brackets)| match brackets {
            true => format!("({one} {joint} {other})"),
            false => format!("{one} {joint} {other}"),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn bounds_never_leave_out_a_row(
        condition in condition(),
        columns in prop::sample::select(vec!["key, x", "x AS key", "count(*)", "DISTINCT x", "x, key k"]),
        end in prop::sample::select(vec!["", "ORDER BY key LIMIT 2", "ORDER BY key DESC LIMIT 2", "LIMIT 1", "ORDER BY x, t.key LIMIT 2"]),
    ) {
        let rows: Vec<(&str, Value)> = ["1", "11", "B", "a", "ab", "b", "c"].iter().enumerate()
            .map(|(at, key)| (*key, json!({"x": at % 3}))).collect();
        let tables = Tables::default().with("t", &rows);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let pushed = runtime.block_on(tables.ask(&format!("SELECT {columns} FROM t WHERE {condition} {end}")));
        // A statement with WITH is not simple.
        let whole = runtime.block_on(tables.ask(&format!("WITH w AS (SELECT 1) SELECT {columns} FROM t WHERE {condition} {end}")));
        prop_assert_eq!(pushed.ok(), whole.ok());
    }
}
