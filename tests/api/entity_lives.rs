//! `keep`: entities that are deleted when their lives are over.

use std::time::Duration;

use serde_json::Value;

use crate::entities::with_key;
use crate::support::http::Ask;
use crate::support::wait::until_within;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_entity_is_gone_when_its_life_is_over_however_it_was_given() {
    with_key(&[], async |service| {
        let mut listener = match service.app.holds_streams() {
            true => Some(service.listen("/entity/a/shown").await),
            false => None,
        };
        service.write("/entity/a/path?keep=1", "{\"n\":1}").await;
        service.write("/entity/a/shown", "{\"n\":1}").await;
        if let Some(listener) = &mut listener {
            // On a busy machine a life of a second may be over before the entity is announced.
            listener.until_data("{\"n\":1}", PATIENCE).await;
        }
        service.write("/entity/a/shown?keep=1", "{\"+n\":1}").await;
        service.write("/drop", r#"{"route":"a","key":"drop","keep":1,"payload":{"n":1}}"#).await;
        let command = service.post("/exec", "write a @command keep 1 { n: 1 }").answer().await;
        assert_eq!(command.status(), 200);
        service.write("/entity/a/long?keep=86400", "{\"n\":1}").await;
        service.write("/entity/a/prolonged?keep=1", "{\"n\":1}").await;
        service.write("/entity/a/prolonged?keep=86400", "{\"+n\":1}").await;
        for short in ["path", "shown", "drop", "command"] {
            let path = format!("/entity/a/{short}");
            until_within(PATIENCE, short, async || service.payload(&path).await == Value::Null).await;
        }
        for long in ["long", "prolonged"] {
            assert_ne!(service.payload(&format!("/entity/a/{long}")).await, Value::Null, "{long}");
        }
        let listed: Value = service.get("/entity/a/").answer().await.json().await.expect("JSON");
        assert_eq!(listed["keys"].as_array().map(Vec::len), Some(2), "{listed}");
        if let Some(listener) = &mut listener {
            listener.until_data("null", PATIENCE).await;
        }
    })
    .await;
}
