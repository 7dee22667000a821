//! Whether streams reach their listeners, event by event.

use std::time::Duration;

use reqwest::RequestBuilder;
use tokio::time::Instant;

use super::super::probe::Trouble;
use super::super::reply::{has_word, header};
use super::super::report::{Verdict, quote};
use super::super::session::CheckSession;
use super::super::stream::{OpenStream, StreamTrouble};

/// What browsers accept.
const ENCODINGS: &str = "gzip, deflate, br, zstd";
/// The longest id of a counter.
const LONGEST_ID: usize = 64;

/// Two streams open over two connections, and the first event of each comes at once.
pub(in super::super) async fn stream(session: &mut CheckSession) -> Verdict {
    let (mut streams, mut slowest) = (Vec::new(), Duration::ZERO);
    for client in 0..2 {
        let started = Instant::now();
        let request = session.probe.listen(client, session.url()).header("accept-encoding", ENCODINGS);
        let stream = match first(session, request).await {
            Ok(stream) => stream,
            Err(trouble) => return Verdict::Failed(explained(session, &trouble).await),
        };
        if let Some(problem) = wrong_headers(&stream) {
            return Verdict::Failed(problem);
        }
        slowest = slowest.max(started.elapsed());
        session.value = session.value.max(stream.value);
        streams.push(stream);
    }
    session.streams = streams;
    Verdict::Ok(Some(slowest), "two streams, and the first event of each came at once".to_owned())
}

/// Opens a stream of the counter and reads its first event.
async fn first(session: &CheckSession, request: RequestBuilder) -> Result<OpenStream, StreamTrouble> {
    let mut stream = OpenStream::open(request, session.probe.timeout).await?;
    if header(stream.headers(), "content-encoding").is_empty() {
        stream.next(&[session.counter.as_str()], session.probe.timeout).await?;
    }
    Ok(stream)
}

/// What is wrong with the head of a stream.
fn wrong_headers(stream: &OpenStream) -> Option<String> {
    let headers = stream.headers();
    let encoding = header(headers, "content-encoding");
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        return Some(format!(
            "the stream is compressed ({}): a proxy in front compresses although the service says no-transform, and holds events back; take text/event-stream \
             out of what it compresses (docs/your-site.md, step 4)",
            quote(encoding)
        ));
    }
    let has = |word: &str| has_word(headers, "cache-control", word);
    if !(has("no-cache") || has("no-store")) {
        return Some(format!(
            "the stream says Cache-Control: {}, and neither no-cache nor no-store: a proxy in front replaces the header, so caches may keep the stream (docs/http-api.md, Listen)",
            quote(header(headers, "cache-control"))
        ));
    }
    None
}

/// What is likely wrong where no stream has opened, or no event has come.
async fn explained(session: &CheckSession, trouble: &StreamTrouble) -> String {
    let hint = match trouble {
        StreamTrouble::NoAnswer(Trouble::Late(_)) | StreamTrouble::Silent(_) => {
            return format!("{trouble}, although the counter can be read: {}", held_back(session).await);
        }
        StreamTrouble::NoStream(reply) => match (reply.status, reply.problem()) {
            (501, Some(_)) => {
                "the request has reached an origin by way of no GRIP proxy: lead streams to Pushpin or Fanout, and check GRIP_URL and the keys (docs/deploy.md)"
            }
            (429, Some(_)) => "this client has too many streams for limits.streams (docs/limits.md)",
            (503, Some(_)) => {
                "the service holds as many streams as it can, or its store is away (docs/failures.md)"
            }
            (200, None) if reply.counter(session.counter.as_str()).is_some() => {
                "a cache in front answers without a look at Accept: it must obey Vary (docs/http-api.md, Read)"
            }
            (500 | 502 | 504, None) => {
                "the proxy that holds streams does not reach the service (docs/failures.md)"
            }
            _ => "a proxy in front does not pass Accept: text/event-stream on (docs/http-api.md, Listen)",
        },
        StreamTrouble::Ended => {
            "a proxy in front ends streams early, or reads them to their end first (docs/your-site.md, step 4)"
        }
        StreamTrouble::NoAnswer(_) => "a proxy in front breaks the connection (docs/failures.md)",
        StreamTrouble::Unreadable(_) | StreamTrouble::Foreign(_) | StreamTrouble::Older(..) => {
            "something in front changes the stream, or this is not livecounter (docs/http-api.md, Listen)"
        }
    };
    format!("{trouble}; {hint}")
}

/// Tells a proxy that holds all streams back from one that only holds those back that it compresses.
async fn held_back(session: &CheckSession) -> &'static str {
    match first(session, session.probe.listen(0, session.url())).await {
        Ok(_) => {
            "a proxy in front compresses the stream and holds it back, as a stream without Accept-Encoding does come; take text/event-stream out of what it \
             compresses (docs/your-site.md, step 4)"
        }
        Err(_) => {
            "a proxy in front buffers answers; let it pass streams on at once (nginx: proxy_buffering off, and no proxy_ignore_headers X-Accel-Buffering; \
             docs/your-site.md, step 4)"
        }
    }
}

/// One stream of two counters begins with an event for each.
pub(in super::super) async fn list(session: &mut CheckSession) -> Verdict {
    if session.streams.is_empty() {
        return Verdict::Skipped("no stream".to_owned());
    }
    let one = session.counter.as_str().to_owned();
    let two = format!("{}-2", one.get(..LONGEST_ID - 2).unwrap_or(&one));
    let request = session.probe.listen(0, session.base.join(&format!("counters/{one},{two}/")));
    let started = Instant::now();
    match both(session.probe.timeout, request, [&one, &two]).await {
        Ok(()) => {
            Verdict::Ok(Some(started.elapsed()), format!("one stream of {one} and {two} begins with both"))
        }
        Err(StreamTrouble::NoStream(reply)) if reply.status == 404 && reply.problem().is_some() => {
            Verdict::Skipped(format!("counters.known leaves {two} out"))
        }
        Err(trouble) => Verdict::Failed(format!(
            "one stream of {one} and {two}: {trouble}; a proxy or a cache in front does not take the comma in the path, or leads lists another way than counters \
             (docs/http-api.md, Several counters)"
        )),
    }
}

async fn both(within: Duration, request: RequestBuilder, counters: [&str; 2]) -> Result<(), StreamTrouble> {
    let mut stream = OpenStream::open(request, within).await?;
    let first = stream.next(&counters, within).await?.0;
    while stream.next(&counters, within).await?.0 == first {}
    Ok(())
}

/// A listener that comes back, with the id of the last event that it has seen, gets the present value and never an older one.
pub(in super::super) async fn reconnect(session: &mut CheckSession) -> Verdict {
    let Some(gone) = session.streams.pop() else { return Verdict::Skipped("no stream".to_owned()) };
    let (last_id, seen) = (gone.last_id.clone(), gone.value);
    drop(gone);
    let mut expected = seen;
    if session.added.is_some() {
        let added = match session.post(2).await {
            Ok(reply) => session.value_of(&reply),
            Err(trouble) => Err(trouble.to_string()),
        };
        match added {
            Ok(value) => expected = value,
            Err(problem) => {
                return Verdict::Failed(format!("an addition while a listener is away: {problem}"));
            }
        }
    }
    let within = session.probe.timeout;
    let started = Instant::now();
    let request = session.probe.listen(1, session.url()).header("last-event-id", &last_id);
    let hint = "a cache in front answers streams from a copy that no purge removes, or keeps what says no-store (docs/fastly.md; docs/http-api.md, Listen)";
    let mut stream = match first(session, request).await {
        Ok(stream) if stream.value < seen => {
            return Verdict::Failed(format!(
                "a listener that had seen {seen} began again with {}; {hint}",
                stream.value
            ));
        }
        Ok(stream) => stream,
        Err(trouble) => {
            return Verdict::Failed(format!(
                "with Last-Event-ID {}: {}",
                quote(&last_id),
                explained(session, &trouble).await
            ));
        }
    };
    match stream.until(session.counter.as_str(), expected, within).await {
        Ok(()) => Verdict::Ok(
            Some(started.elapsed()),
            format!("a listener that comes back with Last-Event-ID is at {expected}"),
        ),
        Err(trouble) => Verdict::Failed(format!(
            "a listener that came back began with {} and did not get {expected}: {trouble}; {hint}",
            stream.value
        )),
    }
}
