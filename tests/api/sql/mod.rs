//! `/sql`: how statements are sent, who may send them, and what is refused.

mod asking;
mod busy;
mod memory;
mod rows;

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::access::told;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};

fn sql(app: &Deployment) -> String {
    format!("{}/sql", app.address)
}

/// The URL with these parameters.
fn with(app: &Deployment, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    format!("{}?{}", sql(app), query.finish())
}

/// A request with this statement as plain text.
fn post(app: &Deployment, statement: &str) -> RequestBuilder {
    client().post(sql(app)).header("content-type", "text/plain").body(statement.to_owned())
}

async fn json_of(request: RequestBuilder) -> Value {
    let (status, text) = told(request).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test]
async fn a_statement_can_be_sent_in_each_form() {
    on_each_deployment(&[], async |app| {
        let expected = json!({"columns": ["n"], "rows": [{"n": 3}], "truncated": false});
        let statement = "SELECT 1 + 2 AS n";
        let listed = json!({"query": "SELECT 1 + ? AS n", "params": [2]});
        let named = json!({"query": "SELECT 1 + :n AS n", "params": {"n": 2}});
        let get = |parameters: &[(&str, &str)]| client().get(with(app, parameters));
        for request in [
            post(app, statement),
            client().post(sql(app)).body(statement),
            client().post(sql(app)).header("content-type", "application/sql").body(statement),
            client().post(sql(app)).json(&listed),
            client().post(sql(app)).json(&named),
            client()
                .post(sql(app))
                .header("content-type", "application/x-www-form-urlencoded")
                .body("query=SELECT+1+%2B+2+AS+n"),
            // As curl -d sends it.
            client()
                .post(sql(app))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(statement),
            get(&[("q", statement)]),
            get(&[("q", "SELECT 1 + :n AS n"), ("params", "{\"n\":2}")]),
            post(app, statement).header("accept", "application/json"),
        ] {
            assert_eq!(json_of(request).await, expected);
        }
        let answer = get(&[("q", statement), ("format", "csv")]).answer().await;
        assert_eq!(header(&answer, "content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(header(&answer, "cache-control"), "private, no-store");
        assert_eq!(answer.text().await.expect("a body"), "n\r\n3\r\n");
        let answer = post(app, "SELECT '=1+1' AS \"@n\", -1 AS n").header("accept", "text/csv").text().await;
        assert_eq!(answer, "\"'@n\",n\r\n\"'=1+1\",-1\r\n");
        let head = client().head(with(app, &[("q", statement)])).answer().await;
        assert_eq!(head.status(), 200);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_statement_is_refused_and_the_reason_is_named() {
    on_each_deployment(&[], async |app| {
        let get = |query: &[(&str, &str)]| client().get(with(app, query));
        let typed = |media: &str, body: &'static str| client().post(sql(app)).header("content-type", media).body(body);
        for (request, status, expected) in [
            (post(app, ""), 422, "there is no statement; send one SELECT, like SELECT key FROM \"analytics/daily\""),
            (post(app, "DROP TABLE x"), 422, "a statement must begin with SELECT, WITH or VALUES: tables can only be read here; commands, such as incr and write, go to POST /exec"),
            (post(app, "SELECT 1; SELECT 2"), 422, "there is more than one statement; send one"),
            (post(app, "SELECT load_extension('x')"), 422, "no such function: load_extension, at line 1, column 8"),
            (post(app, "SELECT printf('%999999999d', 1)"), 422, "the function printf is not available here"),
            (post(app, "SELECT * FROM sqlite_master"), 422, "the table sqlite_master is not available here"),
            (post(app, "ATTACH '/tmp/x.db' AS x"), 422, "a statement must begin with SELECT, WITH or VALUES: tables can only be read here; commands, such as incr and write, go to POST /exec"),
            (post(app, "SELECT 1 /* ; */ ; -- \n ATTACH '/tmp/x.db' AS x"), 422, "there is more than one statement; send one"),
            (post(app, "incr analytics/daily @2026-02-10 .page_views"), 422, "a statement must begin with SELECT, WITH or VALUES: tables can only be read here; commands, such as incr and write, go to POST /exec"),
            (post(app, "/* SELECT */ DELETE FROM a"), 422, "a statement must begin with SELECT, WITH or VALUES: tables can only be read here; commands, such as incr and write, go to POST /exec"),
            (post(app, "WITH a AS (SELECT 1) DELETE FROM b"), 422, "a statement can only read entities here: no other tables, table-valued functions or settings"),
            (post(app, "SELECT readfile('/etc/passwd')"), 422, "no such function: readfile, at line 1, column 8"),
            (post(app, "SELECT fts3_tokenizer('simple')"), 422, "no such function: fts3_tokenizer, at line 1, column 8"),
            (post(app, "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"), 422, "recursive queries are not available here"),
            (post(app, "SELECT x FROM \"a b\""), 422, "there is no table \"a b\": a route consists of A-Z a-z 0-9 - _ . and slashes, character 2 is ' '; write a route in double quotes"),
            (post(app, "SELECT ?"), 422, "the parameter number 1 has no value in params"),
            (post(app, &" ".repeat(16_385)), 422, "a statement has at most 16384 bytes"),
            (post(app, &"x".repeat(200_000)), 413, "the body may have at most 131072 bytes"),
            (typed("application/json", "{\"query\":1}"), 400, "the body must be JSON like {\"query\":\"SELECT …\",\"params\":[…]}: invalid type: integer `1`, expected a string at line 1 column 10"),
            (typed("application/json", "{\"query\":\"SELECT 1\",\"sql\":1}"), 400, "the body must be JSON like {\"query\":\"SELECT …\",\"params\":[…]}: unknown field `sql`, expected `query` or `params` at line 1 column 25"),
            (typed("application/x-www-form-urlencoded", "query=SELECT+1&a=b"), 400, "the form has the unknown field \"a\"; it has only query"),
            (typed("image/png", "SELECT 1"), 400, "the body must be a statement (text/plain), or JSON with query and params (application/json)"),
            (get(&[]), 400, "q is missing: the statement, like ?q=SELECT+key+FROM+\"analytics/daily\""),
            (get(&[("query", "SELECT 1")]), 400, "the query has the unknown parameter \"query\"; there are q, params, format"),
            (get(&[("q", "SELECT 1"), ("format", "xml")]), 400, "format must be json or csv"),
            (get(&[("q", "SELECT 1"), ("params", "1")]), 422, "params must be a list of values for ?, or an object with values for :name"),
            (post(app, "SELECT 1").header("accept", "text/html"), 406, "this resource is available as application/json and text/csv"),
            (client().put(sql(app)), 405, "this resource answers GET, HEAD, POST, OPTIONS"),
        ] {
            assert_eq!(told(request).await, (status, expected.to_owned()));
        }
        let refused = post(app, "SELECT 1 FROM").answer().await;
        assert_eq!(header(&refused, "content-type"), "application/problem+json");
        assert!(refused.text().await.expect("a body").contains("urn:livecounter:problem:statement-refused"));
    })
    .await;
}

#[tokio::test]
async fn a_key_needs_the_scope_and_reading_of_each_route() {
    let (reader, runner, both, admin) = (secret(), secret(), secret(), secret());
    let keys = [
        key_table("reader", &reader, r#"["read:routes/"]"#),
        key_table("runner", &runner, r#"["sql"]"#),
        key_table("both", &both, r#"["sql", "read:routes/app/"]"#),
        key_table("admin", &admin, r#"["admin"]"#),
    ];
    let settings = [("LIVECOUNTER__KEYS", keys.concat()), ("LIVECOUNTER__PUBLIC", "open/*".to_owned())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    on_each_deployment(&settings, async |app| {
        let ask = |secret: &livecounter::access::NewSecret, statement: &str| {
            told(post(app, statement).header("x-ocean-key", secret.expose()))
        };
        assert_eq!(told(post(app, "SELECT 1")).await.0, 401);
        assert_eq!(
            ask(&reader, "SELECT 1").await,
            (403, "the key reader does not have the scope sql".to_owned())
        );
        assert_eq!(ask(&runner, "SELECT 1").await.0, 200);
        assert_eq!(ask(&runner, "SELECT x FROM \"open/a\"").await.0, 200);
        let expected = "the key runner does not have the scope read:routes/app/users/";
        assert_eq!(ask(&runner, "SELECT x FROM \"app/users\"").await, (403, expected.to_owned()));
        assert_eq!(ask(&both, "SELECT x FROM \"app/users\"").await.0, 200);
        for hidden in [
            "SELECT x FROM \"app/users\" WHERE key IN (SELECT key FROM other)",
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM other)",
            "SELECT count(*) FROM \"app/users\", other",
            "WITH a AS (SELECT key FROM other) SELECT 1 FROM a",
            "SELECT 1 UNION SELECT key FROM other",
            "SELECT (SELECT max(key) FROM other)",
        ] {
            let expected = "the key both does not have the scope read:routes/other/";
            assert_eq!(ask(&both, hidden).await, (403, expected.to_owned()), "{hidden}");
        }
        assert_eq!(ask(&admin, "SELECT x FROM \"app/users\", other").await.0, 200);
        let in_query = client().get(with(app, &[("q", "SELECT 1"), ("_key", runner.expose())]));
        assert_eq!(told(in_query).await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn without_keys_only_the_machine_itself_may_ask() {
    on_each_deployment(&[], async |app| {
        assert_eq!(told(post(app, "SELECT 1")).await.0, 200);
        let (status, refused) = told(post(app, "SELECT 1").header("x-forwarded-for", "192.0.2.1")).await;
        assert_eq!(status, 403, "{refused}");
        assert_eq!(told(post(app, "SELECT 1").header("origin", "https://page.example")).await.0, 403);
    })
    .await;
}
