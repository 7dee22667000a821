//! Invalid values, deletions and ids are refused with a message that names what is wrong.

use reqwest::RequestBuilder;
use serde_json::json;

use super::{Managed, on_each};
use crate::access::told;
use crate::support::http::client;
use crate::support::server::Server;

impl Managed<'_> {
    fn put(&self, query: &str) -> RequestBuilder {
        client().put(self.app.counter("2") + query).bearer_auth(self.key.expose())
    }

    fn put_form(&self, body: &'static str) -> RequestBuilder {
        self.put("").header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    /// Each of these requests is answered with this status and a text that begins so, and the counter keeps its value.
    async fn refuses(&self, requests: impl IntoIterator<Item = (RequestBuilder, u16, &str)>) {
        self.app.add_by("2", 26).await;
        for (request, status, expected) in requests {
            let (told_status, detail) = told(request).await;
            assert_eq!(told_status, status, "{detail}");
            assert!(detail.starts_with(expected), "{detail}");
        }
        assert_eq!(self.app.read("2").await, 26);
        assert_eq!(self.page("").await["counters"], json!([{"id": "2", "value": 26}]));
    }
}

#[tokio::test]
async fn invalid_bodies_are_refused_and_change_nothing() {
    on_each(&[], async |service| {
        let refused = [
            ("", "value is missing"),
            ("{}", "value is missing"),
            ("5", "the body must be JSON like {\"value\":5}: invalid type"),
            ("{\"value\":null}", "the body must be JSON like {\"value\":5}: value is no number"),
            ("{\"value\":\"5\"}", "the body must be JSON like {\"value\":5}: value is no number"),
            ("{\"value\":[5]}", "the body must be JSON like {\"value\":5}: value is no number"),
            ("{\"value\":5,\"value\":5}", "the body must be JSON like {\"value\":5}: value is given twice"),
            ("{\"by\":5}", "the body must be JSON like {\"value\":5}: unknown member \"by\""),
            ("{\"value\":5} 6", "the body must be JSON like {\"value\":5}: trailing characters"),
            ("[5]", "the body must be JSON like {\"value\":5}: invalid type"),
            ("\u{202e}\u{0}", "the body must be JSON like {\"value\":5}"),
            ("{\"value\":1.5}", "value must be a whole number in plain digits"),
            ("{\"value\":1e3}", "value must be a whole number in plain digits"),
            ("{\"value\":9007199254740992}", "value must be within ±9007199254740991"),
            ("{\"value\":-9007199254740992}", "value must be within ±9007199254740991"),
        ];
        service.refuses(refused.map(|(body, detail)| (service.put("").body(body), 400, detail))).await;
    })
    .await;
}

#[tokio::test]
async fn invalid_queries_and_forms_are_refused_and_change_nothing() {
    on_each(&[], async |service| {
        let refused = [
            (service.put(""), "value is missing; send JSON like {\"value\":5}"),
            (service.put("?value=%005"), "value must be a whole number in plain digits"),
            (service.put("?value=%D9%A5"), "value must be a whole number in plain digits"),
            (service.put("?by=5"), "the query has the unknown parameter \"by\"; there is only value"),
            (service.put("?vlaue=5"), "the query has the unknown parameter \"vlaue\"; did you mean value?"),
            (service.put("?value=5").body("{\"value\":5}"), "value is given in the query and in the body"),
            (service.put_form("value=5&value=6"), "value is given twice in the body"),
            (service.put_form("{\"value\":5}"), "the body is a form with the unknown field"),
            (
                client().delete(service.app.counter("2") + "?value=5").bearer_auth(service.key.expose()),
                "the query has the unknown parameter \"value\"; there are none",
            ),
        ];
        service.refuses(refused.map(|(request, detail)| (request, 400, detail))).await;
    })
    .await;
}

#[tokio::test]
async fn invalid_ids_headers_and_lengths_are_refused_and_change_nothing() {
    on_each(&[], async |service| {
        let long = format!("{{\"value\":{}}}", "1".repeat(10_000));
        let put = || service.put("").body("{\"value\":5}");
        service
            .refuses([
                (service.put("").body(long), 413, "the body may have at most 4096 bytes"),
                (put().header("content-type", "text/csv").body("value\n5"), 415, "the body must be JSON"),
                (put().header("accept", "image/png"), 406, "this resource is available as"),
                (put().header("idempotency-key", ""), 400, ""),
                (service.delete("2").header("idempotency-key", "a b"), 400, ""),
                (service.set("1,2", 5), 400, "a list of counters can only be read"),
                (service.delete("1,2"), 400, "a list of counters can only be read"),
                (service.set(&"x".repeat(10_000), 5), 400, "a counter id has at most 64 characters"),
                (service.delete("a%00"), 400, "a counter id consists of"),
            ])
            .await;
    })
    .await;
}
