//! Whether strangers are kept from what is private.

use serde::Deserialize;

use super::super::probe::Trouble;
use super::super::reply::CheckReply;
use super::super::report::Verdict;
use super::super::session::CheckSession;

/// A route that no setting opens, so that only a key with the scope `admin`, or the machine of a service without keys, may list its entities.
const ROUTE: &str = "_admin/daily";

/// The entities of a route.
#[derive(Deserialize)]
struct EntityList {
    r#type: String,
}

/// What is private is refused without a key. A service without keys answers its own machine, which it knows by the connection and by `Host`. A
/// proxy on that machine may hide where requests come from, or pass on the `Host` that a client chooses, so both are tried.
pub(in super::super) async fn private(session: &mut CheckSession) -> Verdict {
    let mut took = None;
    for host in [None, Some("localhost")] {
        let reply = match asked(session, host).await {
            Ok(reply) => reply,
            // A proxy may refuse a host that is not its own in any way.
            Err(_) if host.is_some() => continue,
            Err(trouble) => return Verdict::Failed(format!("a request for what is private: {trouble}")),
        };
        if tells(&reply) {
            return open(session, took.unwrap_or(reply.took));
        }
        took.get_or_insert(reply.took);
    }
    Verdict::Ok(took, "what is private is not told without a key".to_owned())
}

/// Asks for what is private, without a key. `host` is what the request calls the host, if not the one that it is sent to.
async fn asked(session: &CheckSession, host: Option<&str>) -> Result<CheckReply, Trouble> {
    let url = session.base.join(&format!("entity/{ROUTE}/"));
    let request = session.probe.get(url, "application/json");
    session.probe.reply(host.into_iter().fold(request, |request, host| request.header("host", host))).await
}

/// Whether the answer is what is private.
fn tells(reply: &CheckReply) -> bool {
    let list = serde_json::from_slice(&reply.body);
    reply.status == 200 && list.is_ok_and(|list: EntityList| list.r#type == ROUTE)
}

fn open(session: &CheckSession, took: std::time::Duration) -> Verdict {
    if session.base.is_loopback() {
        let text = "the service has no keys, so this machine may do everything: make one before anything stands in front";
        return Verdict::Ok(Some(took), text.to_owned());
    }
    Verdict::Failed(
        "anyone may read and change what is private, and use /admin: the service has no keys, and something in front makes it take all \
         clients for its own machine; make a key, and set trusted_proxies (docs/configuration.md, What is private)"
            .to_owned(),
    )
}
