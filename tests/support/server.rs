//! The requests that tests send to an origin, or to a server in front of one. Each call panics with the place in the test that
//! made the call if there is no answer, or another answer than the call promises.

use std::net::SocketAddr;
use std::panic::Location;

use reqwest::{RequestBuilder, Response};

use super::http::{Ask, answered, client};
use super::sse::Listener;

/// A server with counters.
pub trait Server {
    /// Where clients connect.
    fn addr(&self) -> SocketAddr;

    /// Adds 1 to a counter. Returns its new value.
    #[track_caller]
    fn add(&self, id: &str) -> impl Future<Output = i64> + Send {
        value(client().post(url(self.addr(), &format!("/counters/{id}/"))), Location::caller())
    }

    /// Adds an amount to a counter. Returns its new value.
    #[track_caller]
    fn add_by(&self, id: &str, by: i64) -> impl Future<Output = i64> + Send {
        value(client().post(url(self.addr(), &format!("/counters/{id}/?by={by}"))), Location::caller())
    }

    /// The value of a counter.
    #[track_caller]
    fn read(&self, id: &str) -> impl Future<Output = i64> + Send {
        value(client().get(url(self.addr(), &format!("/counters/{id}/"))), Location::caller())
    }

    /// A listener of a counter.
    #[track_caller]
    fn listen(&self, id: &str) -> impl Future<Output = Listener> + Send {
        let (addr, path, asked_at) = (self.addr(), format!("/counters/{id}/"), Location::caller());
        async move {
            let listener = Listener::connect(addr, &path).await;
            assert_eq!(listener.status(), 200, "{asked_at}: no stream of {path}");
            listener
        }
    }

    /// The answer to a GET of this path, whatever its status.
    #[track_caller]
    fn get(&self, path: &str) -> impl Future<Output = Response> + Send {
        client().get(url(self.addr(), path)).answer()
    }

    /// The answer to a POST without a body to this path, whatever its status.
    #[track_caller]
    fn post(&self, path: &str) -> impl Future<Output = Response> + Send {
        client().post(url(self.addr(), path)).answer()
    }

    /// The answer to a HEAD of this path, whatever its status.
    #[track_caller]
    fn head(&self, path: &str) -> impl Future<Output = Response> + Send {
        client().head(url(self.addr(), path)).answer()
    }

    /// The metrics as they are served.
    #[track_caller]
    fn metrics(&self) -> impl Future<Output = String> + Send {
        client().get(url(self.addr(), "/metrics")).text()
    }
}

fn url(addr: SocketAddr, path: &str) -> String {
    format!("http://{addr}{path}")
}

/// The number that is the whole answer, in plain text with a line end.
async fn value(request: RequestBuilder, asked_at: &'static Location<'static>) -> i64 {
    let answer = answered(request, asked_at).await;
    let (url, status) = (answer.url().clone(), answer.status());
    let text = answer.text().await.unwrap_or_else(|error| panic!("{asked_at}: {url}: {error:?}"));
    let value = text.strip_suffix('\n').and_then(|number| number.parse().ok());
    let told = || panic!("{asked_at}: {url} answers {status} {text:?} and not with a number");
    value.filter(|_| status == 200).unwrap_or_else(told)
}
