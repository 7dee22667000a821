//! Server-Sent Events as `EventSource` reads them, and a client that connects again as `EventSource` does.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response};
use tokio::time::{sleep, timeout};

/// The delay of a reconnect, until a stream sets another one (the standard leaves it to the browser).
pub(crate) const FIRST_RETRY: Duration = Duration::from_secs(1);

/// How long a client waits for an answer, as the service's scripts do. A Pushpin that has just been started may take a request and not
/// answer it: only after a minute without a sign of its other parts does the part that has the connection close it.
const OPENS_WITHIN: Duration = Duration::from_secs(20);

/// The longest time after a start of Pushpin until its listeners have a stream: a request without an answer, and the longest `retry` before
/// and after it.
pub(crate) const AFTER_A_START_OF_PUSHPIN: Duration = Duration::from_secs(30);

/// Sends the request of a stream. `None` where there is no answer in time, or another one than a stream.
pub(crate) async fn open(request: RequestBuilder) -> Option<Response> {
    let answer = timeout(OPENS_WITHIN, request.send()).await.ok()?;
    answer.ok().filter(|stream| stream.status() == 200)
}

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentEvent {
    /// The id of this event, or the last one before it.
    pub(crate) id: String,
    /// Its type, such as `message`.
    pub(crate) event: String,
    pub(crate) data: String,
}

/// What happens to a client that follows a stream.
pub(crate) enum Happening {
    Connected,
    Event(SentEvent),
    Disconnected,
}

/// Follows a stream for ever. When it ends, the client connects again, and sends the id of its last event.
pub(crate) async fn follow(client: Client, url: String, bearer: Option<String>, note: impl Fn(Happening)) {
    let (mut retry, mut last_id) = (FIRST_RETRY, String::new());
    loop {
        let mut request = client.get(&url).header("Accept", "text/event-stream");
        if let Some(bearer) = &bearer {
            request = request.bearer_auth(bearer);
        }
        if !last_id.is_empty() {
            request = request.header("Last-Event-ID", &last_id);
        }
        if let Some(mut stream) = open(request).await {
            note(Happening::Connected);
            let mut parser = Parser { id: last_id.clone(), ..Parser::default() };
            while let Ok(Some(bytes)) = stream.chunk().await {
                for event in parser.feed(&bytes, &mut retry) {
                    last_id.clone_from(&event.id);
                    note(Happening::Event(event));
                }
            }
            note(Happening::Disconnected);
        }
        sleep(retry).await;
    }
}

/// As much of Server-Sent Events as the service sends.
#[derive(Default)]
pub(crate) struct Parser {
    pending: Vec<u8>,
    id: String,
    event: Option<String>,
    data: Option<String>,
}

impl Parser {
    /// The events that these bytes complete.
    pub(crate) fn feed(&mut self, bytes: &[u8], retry: &mut Duration) -> Vec<SentEvent> {
        self.pending.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.pending.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..end]).into_owned();
            match line.split_once(": ") {
                Some(("id", id)) => self.id = id.to_owned(),
                Some(("event", event)) => self.event = Some(event.to_owned()),
                Some(("data", data)) => self.data = Some(data.to_owned()),
                Some(("retry", ms)) => {
                    *retry = ms.parse().map_or(*retry, Duration::from_millis);
                }
                _ if line.is_empty() => {
                    let event = self.event.take().unwrap_or_else(|| "message".to_owned());
                    let id = self.id.clone();
                    events.extend(self.data.take().map(|data| SentEvent { id, event, data }));
                }
                _ => {}
            }
        }
        events
    }
}
