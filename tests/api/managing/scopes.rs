//! Which keys may set, delete and list which counters.

use livecounter::access::NewSecret;
use serde_json::json;

use super::{list, set};
use crate::access::told;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, client};
use crate::support::keys::{key_table, secret};
use crate::support::server::Server;

#[tokio::test]
async fn without_keys_managing_is_refused_and_the_refusal_says_what_to_do() {
    on_each_deployment(&[], async |app| {
    app.add("1").await;
    for (request, scope) in [
        (client().put(app.counter("1")).json(&json!({"value": 5})), "manage:counters/1/"),
        (client().delete(app.counter("1")), "manage:counters/1/"),
        (client().delete(app.counter("1")).bearer_auth("lc_wrong"), "manage:counters/1/"),
        (client().get(format!("{}/counters/", app.address)), "read:counters/"),
    ] {
        let (status, detail) = told(request).await;
        assert_eq!(status, 401);
        let expected = format!(
            "this needs a key with the scope {scope}, and this service has no keys yet: `livecounter key new NAME --scope \
             {scope}` makes one and prints the lines for the configuration"
        );
        assert_eq!(detail, expected);
    }
    assert_eq!(app.read("1").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_key_manages_and_lists_what_its_scope_covers_and_nothing_else() {
    let keys: Vec<(NewSecret, &str)> = [
        r#"["manage:counters/shop-"]"#,
        r#"["write:counters/"]"#,
        r#"["read:counters/"]"#,
        r#"["read:counters/shop-1"]"#,
        r#"["manage:counters/shop-1/"]"#,
    ]
    .map(|scopes| (secret(), scopes))
    .into();
    let tables = keys.iter().enumerate().map(|(n, (key, scopes))| key_table(&format!("k{n}"), key, scopes));
    let keys_setting = tables.collect::<String>();
    on_each_deployment(&[("LIVECOUNTER__KEYS", &keys_setting)], async |app| {
        // Which of them may set `shop-1` and `other`, and list all, `shop-` and `shop-10`.
        for ((key, scopes), expected) in keys.iter().zip([
            [200, 403, 403, 200, 200],
            [403, 403, 403, 403, 403],
            [403, 403, 200, 200, 200],
            [403, 403, 403, 403, 200],
            [200, 403, 403, 403, 403],
        ]) {
            let mut statuses = Vec::new();
            for request in [
                set(&app.address, key, "shop-1", 5),
                set(&app.address, key, "other", 5),
                list(&app.address, key, ""),
                list(&app.address, key, "?prefix=shop-"),
                list(&app.address, key, "?prefix=shop-10"),
            ] {
                statuses.push(request.answer().await.status().as_u16());
            }
            assert_eq!(statuses, expected, "{scopes}");
        }
        assert_eq!(
            told(client().delete(app.counter("other")).bearer_auth(keys[0].0.expose())).await,
            (403, "the key k0 does not have the scope manage:counters/other/".to_owned())
        );
    })
    .await;
}
