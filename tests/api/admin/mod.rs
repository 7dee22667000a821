//! The pages for administrators: who may use them, and what they show and change.

mod console;
mod counters;
mod login;
mod overview;
mod problems;
mod public;
mod tally;

use reqwest::{RequestBuilder, Response};

use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};
use crate::support::server::Server;

/// The secret of a key with the scope `admin`, and the setting that knows it.
pub(crate) fn owner() -> (String, String) {
    let key = secret();
    (key.expose().to_owned(), key_table("owner", &key, r#"["admin"]"#))
}

/// A request of a browser's form from a page of the service.
fn form(server: &impl Server, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut body = form_urlencoded::Serializer::new(String::new());
    client()
        .post(format!("http://{}{path}", server.addr()))
        .header("origin", format!("http://{}", server.addr()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.extend_pairs(fields).finish())
}

fn page(server: &impl Server, path: &str) -> RequestBuilder {
    client().get(format!("http://{}{path}", server.addr()))
}

/// The name and the text of the cookie that an answer sets.
fn cookie(answer: &Response) -> String {
    header(answer, "set-cookie").split(';').next().unwrap_or_default().to_owned()
}

/// Logs in and returns the cookie.
async fn log_in(server: &impl Server, secret: &str) -> String {
    let answer = form(server, "/admin/login", &[("key", secret)]).answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "location")), (303, "/admin"));
    cookie(&answer)
}
