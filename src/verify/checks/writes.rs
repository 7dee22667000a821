//! Whether an addition counts once, and reaches all who listen and read.

use tokio::time::{Instant, sleep};

use super::super::probe::Trouble;
use super::super::reply::CheckReply;
use super::super::report::Verdict;
use super::super::session::CheckSession;
use super::super::stream::StreamTrouble;

/// The pause between two reads through a cache that still has an older value.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// A POST is answered with a greater value.
pub(in super::super) async fn add(session: &mut CheckSession) -> Verdict {
    if session.read_only {
        return Verdict::Skipped("--read-only".to_owned());
    }
    let reply = match session.post(1).await {
        Ok(reply) => reply,
        Err(Trouble::Redirect(status, _)) => {
            return Verdict::Failed(format!(
                "POST is answered with a redirect ({status}), which GET is not: browsers send a GET there (docs/deploy.md)"
            ));
        }
        Err(trouble) => {
            return Verdict::Failed(format!(
                "POST: {trouble}; a proxy in front does not pass POST on (docs/deploy.md)"
            ));
        }
    };
    match session.value_of(&reply) {
        Ok(value) if value > session.value => {
            session.value = value;
            session.added = Some(value);
            Verdict::Ok(Some(reply.took), format!("POST is answered {value}"))
        }
        Ok(value) => Verdict::Failed(format!(
            "POST is answered {value}, and {} was read before: a cache in front answers POST from a copy, or others set or delete this counter; name another one with --counter (docs/http-api.md, Add)",
            session.value
        )),
        Err(_) => not_added(session, &reply),
    }
}

fn not_added(session: &CheckSession, reply: &CheckReply) -> Verdict {
    let answer = reply.described();
    let hint = match (reply.status, reply.problem()) {
        (401 | 403, Some(_)) if !session.probe.has_key() => {
            return Verdict::Skipped(format!(
                "POST needs a key here ({answer}): name its file with --key-file, or set LIVECOUNTER_VERIFY_KEY"
            ));
        }
        (401, Some(_)) => {
            "the key is not known here, or a proxy in front removes Authorization (docs/configuration.md, Keys and tickets)"
        }
        (403, Some(_)) => {
            "the key needs the scope write: for this counter (docs/configuration.md, Keys and tickets)"
        }
        (409, Some(_)) => "the counter is at its end; name another one with --counter",
        (429, Some(_)) => {
            "limits.writes or limits.new_topics refuses it; are all clients one address, as trusted_proxies is not set? (docs/limits.md)"
        }
        (507, Some(_)) => "there are as many counters as limits.topics allows (docs/limits.md)",
        (503, Some(_)) => "the store is away or too slow (docs/failures.md)",
        (405, _) | (_, None) => "a proxy in front refuses POST or answers itself (docs/deploy.md)",
        _ => "see docs/http-api.md, Add",
    };
    Verdict::Failed(format!("POST is answered {answer}; {hint}"))
}

/// Why a check that needs an addition is not done.
fn without_addition(session: &CheckSession) -> Verdict {
    let reason = if session.read_only { "--read-only" } else { "no addition" };
    Verdict::Skipped(reason.to_owned())
}

/// Both streams show the addition, as soon as `publish.interval` allows.
pub(in super::super) async fn live(session: &mut CheckSession) -> Verdict {
    let Some(value) = session.added else { return without_addition(session) };
    let (within, counter) = (session.probe.timeout, session.counter.as_str().to_owned());
    let [one, two] = session.streams.as_mut_slice() else { return Verdict::Skipped("no stream".to_owned()) };
    let started = Instant::now();
    let shown = tokio::join!(one.until(&counter, value, within), two.until(&counter, value, within));
    let hint = match shown {
        (Ok(()), Ok(())) => {
            return Verdict::Ok(Some(started.elapsed()), format!("both streams show {value}"));
        }
        (Err(StreamTrouble::Silent(_)), Err(StreamTrouble::Silent(_))) => {
            "announcements do not reach the listeners: GRIP_URL does not name the proxy that holds them, a proxy in front holds back what follows on the first event \
             (nginx: proxy_buffering off), or publish.interval is longer than --timeout (docs/failures.md; docs/your-site.md, step 4)"
        }
        (Err(StreamTrouble::Silent(_)), Ok(())) | (Ok(()), Err(StreamTrouble::Silent(_))) => {
            "one of two streams does not: an origin or a proxy is left out; GRIP_URL must name every proxy that holds listeners (docs/deploy.md)"
        }
        _ => {
            "a proxy in front ends streams early, or others set this counter; name another one with --counter (docs/failures.md)"
        }
    };
    let problems: Vec<String> =
        [shown.0.err(), shown.1.err()].into_iter().flatten().map(|it| it.to_string()).collect();
    session.streams.clear();
    Verdict::Failed(format!("the streams do not show {value}: {}; {hint}", problems.join(", and ")))
}

/// Readers get the new value, whichever form they ask for: a cache that keeps answers is purged.
pub(in super::super) async fn cache(session: &mut CheckSession) -> Verdict {
    let Some(value) = session.added else { return without_addition(session) };
    let started = Instant::now();
    for accept in ["application/json", "text/plain"] {
        loop {
            let read = match session.probe.reply(session.probe.get(session.url(), accept)).await {
                Ok(reply) => value_of(session, &reply),
                Err(trouble) => Err(trouble.to_string()),
            };
            match read {
                Ok(read) if read >= value => break,
                Ok(read) if started.elapsed() > session.probe.timeout => {
                    return Verdict::Failed(format!(
                        "{accept} is still {read}, {:?} after {value} was answered: a cache in front keeps answers and is not purged; it must obey Cache-Control: no-cache, or be \
                         the one of fastly.api_url (docs/fastly.md; docs/http-api.md, Read)",
                        session.probe.timeout
                    ));
                }
                Ok(_) => sleep(PAUSE).await,
                Err(problem) => return Verdict::Failed(format!("{accept} cannot be read: {problem}")),
            }
        }
    }
    Verdict::Ok(Some(started.elapsed()), format!("all readers get {value}"))
}

/// The value in an answer, as JSON or as plain text.
fn value_of(session: &CheckSession, reply: &CheckReply) -> Result<i64, String> {
    let plain = || {
        let is_plain = reply.status == 200 && reply.media_type() == "text/plain";
        is_plain.then(|| std::str::from_utf8(&reply.body).ok()?.trim().parse().ok())?
    };
    reply.counter(session.counter.as_str()).or_else(plain).ok_or_else(|| reply.described())
}

/// The same POST with the same idempotency key counts once, and gets the same answer.
pub(in super::super) async fn repeat(session: &mut CheckSession) -> Verdict {
    let Some(value) = session.added else { return without_addition(session) };
    let reply = match session.post(1).await {
        Ok(reply) => reply,
        Err(trouble) => return Verdict::Failed(format!("the POST, once more: {trouble}")),
    };
    match session.value_of(&reply) {
        Ok(again) if again == value => Verdict::Ok(
            Some(reply.took),
            format!("the same POST with the same Idempotency-Key is answered {value} again"),
        ),
        Ok(again) => Verdict::Failed(format!(
            "the same POST with the same Idempotency-Key is answered {again}, not {value}, so it has counted twice: a proxy in front removes the header, or two stores \
             answer in turn (docs/http-api.md, Add)"
        )),
        Err(problem) => Verdict::Failed(format!("the POST, once more: {problem}")),
    }
}
