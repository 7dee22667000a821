//! Whether this is the service, and reading works.

use super::super::probe::Trouble;
use super::super::reply::CheckReply;
use super::super::report::{Verdict, quote};
use super::super::session::CheckSession;

/// How many redirects are followed.
const REDIRECTS: usize = 3;

/// The counter can be read as JSON. A redirect to the same host is followed, and all further checks go there. If this check fails, there is no other.
pub(in super::super) async fn read(session: &mut CheckSession) -> Verdict {
    let mut moved = String::new();
    for _ in 0..=REDIRECTS {
        let url = session.url();
        let trouble = match session.probe.reply(session.probe.get(url.clone(), "application/json")).await {
            Ok(reply) => return read_from(session, &reply, &moved),
            Err(trouble) => trouble,
        };
        let Trouble::Redirect(_, location) = &trouble else { return unreachable(session, &trouble) };
        let to = url.join(location).ok().and_then(|to| session.base.redirected(&to, &session.counter));
        let Some(to) = to else {
            let text = format!(
                "{trouble}, which is another host or not the counter: verify the address to which it leads"
            );
            return stop(session, text);
        };
        moved = format!(", redirected to {to}");
        session.base = to;
    }
    stop(session, format!("more than {REDIRECTS} redirects"))
}

fn read_from(session: &mut CheckSession, reply: &CheckReply, moved: &str) -> Verdict {
    if let Some(value) = reply.counter(session.counter.as_str()) {
        session.value = value;
        return Verdict::Ok(Some(reply.took), format!("counter {} is at {value}{moved}", session.counter));
    }
    let answer = reply.described();
    let text = match (reply.status, reply.problem()) {
        (404, Some(_)) if session.base.has_path() => format!(
            "{answer}: URL has a path behind the host; leave out what is the service's own (such as counters/2/), or what no proxy in front removes. \
             If the path is right, counters.known leaves this counter out; name one of those with --counter (docs/configuration.md)"
        ),
        (404, Some(_)) => format!(
            "{answer}: counters.known leaves this counter out; name one of those with --counter (docs/configuration.md)"
        ),
        (503, Some(_)) => format!("{answer}: the store is away or too slow (docs/failures.md)"),
        (_, Some(_)) => answer,
        (502 | 504, None) => format!(
            "{answer}: a proxy in front does not reach the service; is it running, and is the proxy's address for it right? (docs/deploy.md)"
        ),
        // So web servers answer a client without TLS at a port for TLS.
        (400, None) if answer.contains("HTTPS") => {
            format!(
                "{answer}: what listens there speaks TLS: is the address one of https://? (docs/your-site.md, step 4)"
            )
        }
        (401 | 403, None) => format!(
            "{answer}: a proxy in front asks for a login, or refuses; let it pass requests for counters (docs/deploy.md, TLS)"
        ),
        _ => format!(
            "{answer}, where the JSON of a counter belongs: is this the address of livecounter, with the path that stands before its own? (docs/http-api.md, Read)"
        ),
    };
    stop(session, text)
}

fn unreachable(session: &mut CheckSession, trouble: &Trouble) -> Verdict {
    let hint = match trouble {
        Trouble::Broken(text) if text.contains("certificate") => {
            "the certificate is not valid for this name, or is signed by an authority that this machine does not know (docs/your-site.md, step 4)"
        }
        // So a TLS client calls an answer that is no TLS.
        Trouble::Broken(text) if text.contains("InvalidContentType") => {
            "what listens there speaks no TLS: is the address one of http://, or the port another? (docs/your-site.md, step 4)"
        }
        Trouble::Broken(_) => {
            "is the service running, does it listen there, and does a firewall let requests pass? (docs/deploy.md)"
        }
        Trouble::Late(_) => {
            "the service or a proxy in front is stuck, or a firewall drops the request (docs/failures.md)"
        }
        _ => "is this the address of livecounter? (docs/http-api.md, Read)",
    };
    stop(session, format!("{trouble}; {hint}"))
}

/// Fails, and leaves out all checks that would follow.
fn stop(session: &mut CheckSession, text: String) -> Verdict {
    session.stopped = Some("the counter cannot be read".to_owned());
    Verdict::Failed(text)
}

/// A bad request gets the service's own error, which scripts in pages may read.
pub(in super::super) async fn errors(session: &mut CheckSession) -> Verdict {
    let url = session.base.join("counters/not%20an%20id/");
    let request = session.probe.get(url, "application/json").header("origin", "https://verify.example");
    let reply = match session.probe.reply(request).await {
        Ok(reply) => reply,
        Err(trouble) => return Verdict::Failed(format!("a bad request: {trouble}")),
    };
    if reply.status == 400 && reply.problem().is_some() {
        return Verdict::Ok(
            Some(reply.took),
            "a bad request gets the service's own problem document".to_owned(),
        );
    }
    let kind = quote(&reply.media_type());
    Verdict::Failed(format!(
        "a bad request is answered {} with {kind}, not 400 with application/problem+json: a proxy in front puts error pages of its own in place of \
         the service's (nginx: error_page, proxy_intercept_errors; docs/http-api.md, Errors)",
        reply.status
    ))
}
