//! What browsers and other programs need of HTTP, besides streams.

use tokio::time::{Instant, timeout};

use super::super::alpn::speaks_http2;
use super::super::probe::Trouble;
use super::super::reply::{CheckReply, has_word};
use super::super::report::{Verdict, quote};
use super::super::session::CheckSession;

/// A site that is not the service's own.
const ORIGIN: &str = "https://verify.example";

/// Whether browsers get HTTP/2. This is information only: without it, all works but the number of tabs.
pub(in super::super) async fn http2(session: &mut CheckSession) -> Verdict {
    let six = "browsers open six connections at most, so six streams (docs/your-site.md, step 4)";
    let Some((host, port)) = session.base.https() else {
        return Verdict::Ok(None, format!("no TLS, so HTTP/1.1: {six}"));
    };
    let started = Instant::now();
    match timeout(session.probe.timeout, speaks_http2(&host, port)).await {
        Ok(Ok(true)) => Verdict::Ok(Some(started.elapsed()), "browsers get HTTP/2".to_owned()),
        Ok(Ok(false)) => Verdict::Ok(Some(started.elapsed()), format!("HTTP/1.1 only: {six}")),
        Ok(Err(error)) => Verdict::Skipped(format!("no direct connection: {}", quote(&error))),
        Err(_) => Verdict::Skipped(format!("no direct connection within {:?}", session.probe.timeout)),
    }
}

/// Pages of other sites may read the counter, and errors too, and may add to it with an idempotency key.
pub(in super::super) async fn cors(session: &mut CheckSession) -> Verdict {
    let get = session.probe.get(session.url(), "application/json").header("origin", ORIGIN);
    let bad = session.probe.get(session.base.join("counters/not%20an%20id/"), "*/*").header("origin", ORIGIN);
    let preflight = session.probe.options(session.url()).header("origin", ORIGIN);
    let preflight = preflight.header("access-control-request-method", "POST");
    let preflight = preflight.header("access-control-request-headers", "idempotency-key");
    let hint = "a proxy in front removes or replaces the CORS headers, or answers OPTIONS itself (docs/http-api.md, From other origins)";
    for (what, request) in [("reading", get), ("an error", bad), ("the preflight of a POST", preflight)] {
        let problem = match session.probe.reply(request).await {
            Err(trouble) => Some(trouble.to_string()),
            Ok(reply) => refused(&reply).or_else(|| preflight_refused(what, &reply)),
        };
        if let Some(problem) = problem {
            return Verdict::Failed(format!("{what}, for a page of {ORIGIN}: {problem}; {hint}"));
        }
    }
    Verdict::Ok(None, "pages of other sites may read and add".to_owned())
}

/// Why a browser keeps this answer from a page.
fn refused(reply: &CheckReply) -> Option<String> {
    let name = "access-control-allow-origin";
    let values: Vec<_> = reply.headers.get_all(name).iter().collect();
    match values.as_slice() {
        [value] if *value == "*" || *value == ORIGIN => None,
        [] => Some(format!("no {name} in the answer {}", reply.status)),
        [_] => Some(format!("{name}: {}", quote(reply.header(name)))),
        _ => Some(format!("{name} {} times, where browsers want it once", values.len())),
    }
}

fn preflight_refused(what: &str, reply: &CheckReply) -> Option<String> {
    if !what.contains("preflight") {
        return None;
    }
    let allows =
        |name: &str, word: &str| has_word(&reply.headers, name, word) || has_word(&reply.headers, name, "*");
    if !(200..300).contains(&reply.status) {
        return Some(format!("answered {}", reply.described()));
    }
    for (name, word) in
        [("access-control-allow-methods", "POST"), ("access-control-allow-headers", "idempotency-key")]
    {
        if !allows(name, word) {
            return Some(format!("{name} without {word}"));
        }
    }
    None
}

/// HEAD is answered and does not count. If the value has changed, the check is made once more, as others may add.
pub(in super::super) async fn head(session: &mut CheckSession) -> Verdict {
    let mut changed = None;
    for _ in 0..2 {
        match head_once(session).await {
            Ok((_, before, after)) if before != after => changed = Some((before, after)),
            Ok((reply, ..)) => {
                return Verdict::Ok(Some(reply.took), "HEAD is answered and does not count".to_owned());
            }
            Err(problem) => return Verdict::Failed(problem),
        }
    }
    let (before, after) = changed.unwrap_or_default();
    Verdict::Failed(format!(
        "the value was {before} before a HEAD and {after} behind it: something turns HEAD into another request, or others add to this counter; name another one with --counter"
    ))
}

async fn head_once(session: &mut CheckSession) -> Result<(CheckReply, i64, i64), String> {
    let before = session.read().await?;
    let reply = session.probe.reply(session.probe.head(session.url())).await;
    let reply = reply.map_err(|trouble: Trouble| format!("HEAD: {trouble}"))?;
    if reply.status != 200 {
        return Err(format!(
            "HEAD is answered {}, and GET 200: a proxy in front refuses HEAD",
            reply.described()
        ));
    }
    Ok((reply, before, session.read().await?))
}
