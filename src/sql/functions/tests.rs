use std::time::Duration;

use proptest::prelude::*;
use rusqlite::types::Value;

use super::*;

/// What a call answers; an error as its text.
fn answer(connection: &Connection, call: &str, arguments: &[Value]) -> std::result::Result<Value, String> {
    let marks = vec!["?"; arguments.len()].join(", ");
    let row = connection.query_row(
        &format!("SELECT {call}({marks})"),
        rusqlite::params_from_iter(arguments),
        |row| row.get(0),
    );
    row.map_err(|error| error.to_string())
}

fn argument() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => "[abAB%_*?\\[\\]^\\-é ]{0,8}".prop_map(Value::Text),
        1 => Just(Value::Null),
        1 => (-1000_i64..1000).prop_map(Value::Integer),
        1 => prop_oneof![any::<i64>().prop_map(Value::Integer), Just(Value::Blob(b"ab".to_vec()))],
        1 => prop_oneof![
            (-4000_i32..4000).prop_map(|sixteenths| f64::from(sixteenths) / 16.0),
            proptest::sample::select(vec![1e15, 1e16, 1e17, -1e300, 1e-4, 1.25e-5, f64::INFINITY]),
        ]
        .prop_map(Value::Real),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn each_function_answers_what_sqlite_answers(arguments in proptest::collection::vec(argument(), 3)) {
        let (own, sqlites) = (Connection::open_in_memory().expect("one"), Connection::open_in_memory().expect("another"));
        define(&own, &Watch::new(Duration::from_secs(60)), 1000).expect("functions");
        for (call, count) in [
            ("instr", 2), ("replace", 3), ("trim", 1), ("trim", 2), ("ltrim", 2), ("rtrim", 1), ("rtrim", 2), ("like", 2), ("like", 3), ("glob", 2),
        ] {
            let arguments = &arguments[..count];
            let (ours, theirs) = (answer(&own, call, arguments), answer(&sqlites, call, arguments));
            prop_assert_eq!(ours, theirs, "{}{:?}", call, arguments);
        }
    }
}

#[test]
fn long_patterns_and_long_texts_are_refused() {
    let connection = Connection::open_in_memory().expect("a connection");
    define(&connection, &Watch::new(Duration::from_secs(60)), 1000).expect("functions");
    let text = |text: &str, count: usize| Value::Text(text.repeat(count));
    let long = answer(&connection, "like", &[text("%a", 65), text("a", 500)]);
    assert_eq!(long, Err("LIKE or GLOB pattern too complex".to_owned()));
    let grown = answer(&connection, "replace", &[text("a", 500), text("a", 1), text("b", 1000)]);
    assert_eq!(grown, Err("string or blob too big".to_owned()));
    assert!(answer(&connection, "replace", &[text("a", 500), text("a", 1), text("b", 2)]).is_ok());
}
