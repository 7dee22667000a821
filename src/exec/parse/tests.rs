use proptest::prelude::*;

use super::*;
use crate::domain::{EntityKey, FieldChange, Route};
use crate::exec::{Comparison, Condition, Find};

fn route(text: &str) -> Route {
    text.parse().expect("a route")
}

fn key(text: &str) -> EntityKey {
    text.parse().expect("a key")
}

fn json(text: &str) -> JsonText {
    JsonText::parse(text.as_bytes()).expect("JSON")
}

fn one(text: &str) -> Action {
    let mut commands = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(commands.len(), 1, "{text}");
    commands.remove(0).action
}

fn error(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

fn fields(payload: &str) -> FieldChanges {
    FieldChanges::parse(payload.as_bytes()).expect("fields")
}

fn merge(route_text: &str, key_text: &str, payload: &str) -> Action {
    let (route, key) = (route(route_text), key(key_text));
    Action::Merge { route, key, fields: fields(payload), keep: None, existing: false }
}

#[test]
fn the_commands_of_the_tutorial_are_read() {
    let text = "-- Track a POST /drop request\n\
        incr analytics/endpoints @2026-02-10 .\"POST /drop\"\n\
        \n\
        -- Track a GET /entity request\n\
        incr analytics/endpoints @2026-02-10 .\"GET /entity/*\"\n\
        read analytics/daily @2026-02-10\n\
        sql `SELECT key AS date FROM \"analytics/daily\" ORDER BY key DESC LIMIT 7`\n\
        -- Write an event drop (no key = events accumulate, never overwritten)\n\
        write analytics/events { method: \"POST\", path: \"/drop\", status: 200 }\n";
    let commands = parse(text).expect("commands");
    let actions: Vec<Action> = commands.iter().map(|command| command.action.clone()).collect();
    assert_eq!(
        actions,
        [
            merge("analytics/endpoints", "2026-02-10", r#"{"+POST /drop":1}"#),
            merge("analytics/endpoints", "2026-02-10", r#"{"+GET /entity/*":1}"#),
            Action::Read(route("analytics/daily"), key("2026-02-10")),
            Action::Sql("SELECT key AS date FROM \"analytics/daily\" ORDER BY key DESC LIMIT 7".into()),
            Action::Append(
                route("analytics/events"),
                json(r#"{"method":"POST","path":"/drop","status":200}"#)
            ),
        ]
    );
    let lines: Vec<usize> = commands.iter().map(|command| command.at.line).collect();
    assert_eq!(lines, [2, 5, 6, 7, 9]);
}

#[test]
fn a_command_has_several_names_and_spellings() {
    for text in ["read a/b @k", "get a/b @k", "a/b @k", "READ a/b   @k -- why", "read a/b@k;"] {
        assert_eq!(one(text), Action::Read(route("a/b"), key("k")), "{text}");
    }
    for text in ["remove a @k", "delete a @k"] {
        assert_eq!(one(text), Action::Remove(route("a"), key("k")), "{text}");
    }
    for (text, top) in [("a/b", None), ("list a/b", None), ("list a/b top 5", Some(5))] {
        assert_eq!(one(text), Action::List { route: route("a/b"), top }, "{text}");
    }
    for text in [
        "write a @k {x: 1, \"y z\": [1, 2]}",
        "save a @k x: 1 \"y z\": [1 2]",
        "save a @k {\n x: 1\n \"y z\": [1,2,],\n}",
    ] {
        assert_eq!(one(text), merge("a", "k", r#"{"x":1,"y z":[1,2]}"#), "{text}");
    }
}

#[test]
fn incr_adds_to_several_fields_by_any_whole_number() {
    assert_eq!(one("incr a @k .x .y 5 .z -3"), merge("a", "k", r#"{"+x":1,"+y":5,"+z":-3}"#));
    let Action::Merge { fields, .. } = one("write a @k { +views: 2, title: null }") else {
        panic!("no merge")
    };
    let changes: Vec<_> = fields.iter().collect();
    assert_eq!(changes, [("views", &FieldChange::Add(2)), ("title", &FieldChange::Remove)]);
}

#[test]
fn a_life_stands_before_the_fields_or_behind_the_braces() {
    let life = Some(Duration::from_secs(60));
    for text in ["save a @k keep 60 x: 1", "save a @k {x:1} keep 60", "save a @k keep 60 {x:1}"] {
        assert!(matches!(one(text), Action::Merge { keep, .. } if keep == life), "{text}");
    }
    assert_eq!(one("save a @k keep: 60"), merge("a", "k", r#"{"keep":60}"#));
    assert!(error("write a {x:1} keep 60").ends_with("keep is for entities, which have a key"));
}

#[test]
fn update_asks_for_an_entity_that_exists() {
    for text in ["update a @k {x: 1}", "patch a @k x: 1"] {
        assert!(matches!(one(text), Action::Merge { existing: true, .. }), "{text}");
    }
}

#[test]
fn find_has_conditions_and_steps_on_any_line() {
    let text = "find shop/orders where status = \"paid\"\n  and .\"total sum\" >= 3.5\n  \
        then sort total desc\n  then pick key, total then top 5\nlist a";
    let commands = parse(text).expect("commands");
    let condition = |field: &str, comparison, value: &str| Condition {
        field: field.into(),
        comparison,
        value: json(value),
    };
    let expected = Find {
        route: route("shop/orders"),
        conditions: vec![
            condition("status", Comparison::Equal, "\"paid\""),
            condition("total sum", Comparison::AtLeast, "3.5"),
        ],
        pick: vec!["key".into(), "total".into()],
        sort: Some(("total".into(), true)),
        top: Some(5),
    };
    assert_eq!(commands[0].action, Action::Find(expected));
    assert_eq!(commands.len(), 2);
}

#[test]
fn an_error_tells_its_place_and_what_was_expected() {
    for (text, expected) in [
        ("", "line 1, column 1: there is no command; the commands are incr, read"),
        ("-- nothing\n", "line 1, column 1: there is no command; the commands are"),
        (
            "incrr a @k .x",
            "line 1, column 1: there is no command \"incrr\": did you mean incr?; the commands",
        ),
        (
            "SELECT key FROM a",
            "line 1, column 1: there is no command \"SELECT\": SQL stands between backticks behind sql, as in sql `SELECT",
        ),
        (
            "with x as (select 1) select 1",
            "there is no command \"with\": SQL stands between backticks behind sql",
        ),
        ("values (1)", "or goes to POST /sql as it is; the commands are incr"),
        ("read a", "line 1, column 7: expected @ and a key, as in @2026-02-10, found the end of the text"),
        ("read a @", "line 1, column 9: expected a key behind the @, found the end of the text"),
        ("read a @k\n read b", "line 2, column 8: expected @ and a key"),
        ("read", "line 1, column 5: expected a route such as analytics/daily, found the end of the text"),
        ("read a//b @k", "line 1, column 6: "),
        ("read a @k x", "line 1, column 11: expected the end of the command, found \"x\""),
        ("incr a @k", "line 1, column 10: expected a full stop and the name of a field, as in .page_views"),
        ("incr a @k .x 1.5", "line 1, column 14: 1.5 is not a whole number"),
        (
            "incr a @k .x 99999999999999999999",
            "line 1, column 14: 99999999999999999999 is not within ±9007199254740991",
        ),
        ("incr a @k .x -9007199254740992", "-9007199254740992 is not within ±9007199254740991"),
        ("incr a @k .x .x", "line 1, column 16: the field \"+x\" comes twice"),
        ("write a {x 1}", "line 1, column 12: expected a colon behind the name of the field, found \"1}\""),
        ("write a {x: }", "line 1, column 13: expected a value: a text in double quotes"),
        ("write a {x: 1", "line 1, column 14: expected the name of a field or }"),
        ("write a {x: 1, x: 2}", "the name \"x\" comes twice in one object"),
        ("write a {x: 1e400}", "number out of range"),
        (
            "write a {name: Ann}",
            "line 1, column 16: expected a value: a text in double quotes, a number, true, false or null, found \"Ann\"",
        ),
        (
            "write a {x: [1, 0x10]}",
            "line 1, column 17: expected a value: a text in double quotes, a number, true, false or null, found \"0x10\"",
        ),
        (
            "find a where x = NaN",
            "line 1, column 18: expected a value: a text in double quotes, a number, true, false or null, found \"NaN\"",
        ),
        (
            "write a @k keep 315360001 {x: 1}",
            "line 1, column 17: expected a whole number of seconds from 1 to 315360000, found \"315360001\"",
        ),
        (
            "write a @k keep 99999999999 {x: 1}",
            "line 1, column 17: expected a whole number of seconds from 1 to 315360000",
        ),
        (
            "write a @k keep 1d {x: 1}",
            "line 1, column 17: expected a whole number of seconds from 1 to 315360000, found \"1d\"",
        ),
        ("find a pick x", "line 1, column 8: expected where, then or the end of the command, found \"pick\""),
        (
            "find a where x = 1 or y = 2",
            "line 1, column 20: expected and, then or the end of the command, found \"or\"",
        ),
        (
            "find a then top 1 sort x",
            "line 1, column 19: expected then or the end of the command, found \"sort\"",
        ),
        ("write a", "line 1, column 8: expected fields, as in { path: \"/drop\" } or path: \"/drop\""),
        ("write a @k {+x: 1.5}", "the field \"+x\" must be a whole number"),
        ("find a where x ~ 1", "line 1, column 16: expected =, !=, <, <=, > or >=, found \"~\""),
        (
            "find a where x = 1 and",
            "line 1, column 23: expected the name of a field, found the end of the text",
        ),
        (
            "find a then pick x, ",
            "line 1, column 21: expected the name of a field, found the end of the text",
        ),
        ("find a then jump", "line 1, column 13: expected pick, sort or top, found \"jump\""),
        ("find a then top 0", "line 1, column 17: expected a whole number from 1 on"),
        ("sql SELECT 1", "line 1, column 5: expected a query between backticks, found \"SELECT\""),
        ("sql `SELECT 1", "line 1, column 14: expected a query between backticks, found the end"),
        ("é", "line 1, column 1: expected a command, found \"é\""),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text:?}\n  {error}\n  {expected}");
    }
}

#[test]
fn an_error_has_one_place() {
    for text in [
        "write a {x: 1e400}",
        "write a {x: 0x10}",
        "write a {x: \"\\ud800\"}",
        "write a {x: {y: 1, y: 2}}",
        "write a {x: 1, x: 2}",
        "write a @k {x: [1 {y: 1, y: 2}]}",
    ] {
        let error = error(text);
        assert_eq!(error.matches("column").count(), 1, "{text}\n  {error}");
    }
}

#[test]
fn length_number_and_depth_are_bounded() {
    assert!(parse(&"a\n".repeat(100)).is_ok());
    assert_eq!(error(&"a\n".repeat(101)), "line 101, column 1: a text has at most 100 commands");
    assert_eq!(
        error(&" ".repeat(MAX_LEN + 1)),
        "line 1, column 1: a text of commands has at most 65536 bytes"
    );
    for (open, close) in [("[", "]"), ("{a:", "}")] {
        let nested = |depth| format!("write a {{x: {}1{}}}", open.repeat(depth), close.repeat(depth));
        assert!(parse(&nested(30)).is_ok(), "{open}");
        assert!(error(&nested(10_000)).ends_with("may be nested 32 deep"), "{open}");
    }
}

#[test]
fn a_find_has_32_conditions_and_fields_to_pick_at_most() {
    let conditions = |count| format!("find a where {}", vec!["x = 1"; count].join(" and "));
    assert!(parse(&conditions(32)).is_ok());
    assert_eq!(error(&conditions(33)), "line 1, column 329: find has at most 32 conditions");
    let fields = |count| format!("find a then pick {}", vec!["x"; count].join(", "));
    assert!(parse(&fields(32)).is_ok());
    assert_eq!(error(&fields(33)), "line 1, column 112: find has at most 32 fields to pick");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "(incr |write |find |sql |a/b |@k |where |then |and |[{}\\[\\]\"`:.,;=<>\\\\\n -]|\\PC){0,40}") {
        let _ = parse(&text);
    }
}
