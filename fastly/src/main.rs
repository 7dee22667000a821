//! The edge program: asks the library what to do with a request, and does it.
//!
//! The program sees a listener twice. The first request comes from the listener and is handed over to Fanout. The second comes
//! from Fanout, signed, and is answered from the cache with the value and the instructions to hold. See docs/fastly.md.

use std::time::{SystemTime, UNIX_EPOCH};

use fastly::http::CandidateResponse;
use fastly::http::request::{SendError, SendErrorCause};
use fastly::http::{HeaderName, HeaderValue, header};
use fastly::{ConfigStore, Request, Response};
use livecounter_edge::{
    FASTLY_KEY, Plan, Problem, RequestFacts, Verifier, is_grip, is_surrogate, issuer_of, normalize_path,
    query_sent, sort_names, takes_gzip,
};

/// The name of the backend with the origins.
const ORIGIN: &str = "origin";
/// The name of the backend that is this service itself, under another host name. Fanout sends its requests there.
const OWN: &str = "self";
/// The name of the config store. The store or any of its keys may be missing.
const CONFIG: &str = "livecounter";
/// The longest address of a stream, in bytes, with its scheme and its host: Pushpin ends the connection of a request with a longer one.
const LONGEST_ADDRESS: usize = 4096;

/// The header with the client's address, which Fanout copies from the first request to the second. It also marks a request that
/// was handed over. The program always writes it before it sends a request, so a client's own header of this name goes nowhere.
static CLIENT: HeaderName = HeaderName::from_static("x-livecounter-client");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The header with the scheme that the client has used, which Fanout copies, too; it may write an `X-Forwarded-Proto` of its own.
static SCHEME: HeaderName = HeaderName::from_static("x-livecounter-scheme");
/// The header from which origins take the scheme: they make cookies `Secure` by it, and write it into addresses of their own.
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static GRIP_SIG: HeaderName = HeaderName::from_static("grip-sig");
static GRIP_LAST: HeaderName = HeaderName::from_static("grip-last");
static SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");
static PRIVATE: [HeaderName; 2] = [header::AUTHORIZATION, HeaderName::from_static("x-ocean-key")];
/// Headers between the client and this machine only, and headers in which only this program may say something about the client.
/// `Connection` is among them, as proxies drop the headers that it names: with it a client could remove a header.
static NOT_SENT_ON: [HeaderName; 3] = [header::CONNECTION, header::UPGRADE, header::FORWARDED];

fn main() {
    let mut request = Request::from_client();
    let path = sort_names(normalize_path(request.get_path()));
    request.set_path(&path);
    let origin = request.get_header(header::ORIGIN).cloned();
    let signed = is_signed(&request);
    let plan = plan(&request, signed);
    clean(&mut request, signed);
    let answer = match plan {
        Plan::HandOff => match hand_off(request) {
            Ok(()) => return,
            Err(error) => Err(error),
        },
        Plan::Lookup(accept) => look_up(unmarked(request), accept),
        Plan::Pass => unmarked(request).with_pass(true).send(ORIGIN).map_err(problem),
        Plan::Refuse(problem) => Err(problem),
    };
    let mut response = answer.unwrap_or_else(refusal);
    let told: Vec<HeaderName> = response.get_header_names().cloned().collect();
    for name in told {
        if is_surrogate(name.as_str()) || (is_grip(name.as_str()) && !signed) {
            response.remove_header(name);
        }
    }
    name_the_origin(&mut response, origin);
    response.send_to_client();
}

/// A browser shows a page of another origin the answer to a request with credentials only if the answer names this origin.
/// Cached answers are for all and name no origin, so each answer names it when it leaves. An answer that lets no page of another origin
/// read it, as those of `/admin`, stays so.
fn name_the_origin(response: &mut Response, origin: Option<HeaderValue>) {
    let Some(origin) = origin.filter(|origin| origin.len() <= 300) else { return };
    if !response.contains_header(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    response.set_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response.set_header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    let varies = response.get_header_all_str_lossy(header::VARY).join(",").to_ascii_lowercase();
    if !varies.split(',').any(|name| name.trim() == "origin") {
        response.append_header(header::VARY, "Origin");
    }
}

fn plan(request: &Request, signed: bool) -> Plan {
    // The lossy call is needed, as the strict one ends the program at a byte that is no text, and clients may send such bytes.
    let accept = request.get_header_all_str_lossy(header::ACCEPT);
    RequestFacts {
        method: request.get_method_str(),
        path: request.get_path(),
        query: request.get_query_str().unwrap_or_default(),
        accept: &accept.join(","),
        signed,
        handed_off: request.contains_header(&CLIENT),
        recovers: request.contains_header(&GRIP_LAST),
        private: PRIVATE.iter().any(|name| request.contains_header(name)),
    }
    .plan()
}

/// Whether Fanout has sent the request. If the key cannot be used, no request counts as signed.
fn is_signed(request: &Request) -> bool {
    let Some(token) = request.get_header_str_lossy(&GRIP_SIG) else { return false };
    let config = ConfigStore::try_open(CONFIG).ok();
    let setting = |key| config.as_ref().and_then(|store| store.try_get(key).ok().flatten());
    let key = setting("verify_key").unwrap_or_else(|| FASTLY_KEY.to_owned());
    let own = || issuer_of(&std::env::var("FASTLY_SERVICE_ID").unwrap_or_default());
    let issuer = setting("issuer").unwrap_or_else(own);
    let Ok(verifier) = Verifier::new(&key, issuer) else {
        eprintln!("verify_key in the config store {CONFIG} is no public key on P-256");
        return false;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match verifier.verify(&token, now.as_secs()) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("a Grip-Sig was not accepted: {error:?}");
            false
        }
    }
}

/// Removes the headers that only Fanout may send, and sets those with the client's address and scheme. A signed request has both from the
/// request that was handed over.
fn clean(request: &mut Request, signed: bool) {
    if !signed {
        let grip: Vec<HeaderName> =
            request.get_header_names().filter(|n| is_grip(n.as_str())).cloned().collect();
        grip.into_iter().for_each(|name| drop(request.remove_header(name)));
        match request.get_client_ip_addr() {
            Some(address) => request.set_header(&CLIENT, address.to_string()),
            None => drop(request.remove_header(&CLIENT)),
        }
        let scheme = if request.get_tls_protocol_bytes().is_some() { "https" } else { "http" };
        request.set_header(&SCHEME, scheme);
    }
    NOT_SENT_ON.iter().for_each(|name| drop(request.remove_header(name)));
    // A recovery of Fanout serves several clients, so it has no client's address and no scheme.
    for (own, sent) in [(&CLIENT, &FORWARDED_FOR), (&SCHEME, &FORWARDED_PROTO)] {
        match request.get_header(own).cloned() {
            Some(value) => request.set_header(sent, value),
            None => drop(request.remove_header(sent)),
        }
    }
}

/// Hands the request over to Fanout. The mark of the hand-over must be there even if the client's address is unknown.
fn hand_off(mut request: Request) -> Result<(), Problem> {
    if request.get_url_str().len() > LONGEST_ADDRESS {
        return Err(Problem::AddressTooLong);
    }
    if !request.contains_header(&CLIENT) {
        request.set_header(&CLIENT, "unknown");
    }
    request.handoff_fanout(OWN).map_err(|error| {
        eprintln!("cannot hand over to Fanout: {error}");
        Problem::NoFanout
    })
}

/// The request for an origin, without the mark: the client's address and scheme are in other headers.
fn unmarked(mut request: Request) -> Request {
    request.remove_header(&CLIENT);
    request.remove_header(&SCHEME);
    request
}

/// Gets the answer from the cache or, through it, from the origin. The cache follows the origin's Surrogate-Control,
/// Surrogate-Key and Vary.
fn look_up(request: Request, accept: &str) -> Result<Response, Problem> {
    // A cached answer is for all clients, so it must not depend on a body.
    let mut request = request.clone_without_body();
    let query = request.get_query_str().and_then(|query| query_sent(request.get_path(), query));
    match query {
        Some(query) => request.set_query_str(query),
        None => request.remove_query(),
    }
    request.set_header(header::ACCEPT, accept);
    let codings = request.get_header_str(header::ACCEPT_ENCODING).unwrap_or_default();
    let gzip = takes_gzip(request.get_path(), codings);
    // A public answer does not depend on the client. A held stream has no ranges, no 304 and no compression.
    for name in [
        header::COOKIE,
        header::RANGE,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::ACCEPT_ENCODING,
    ] {
        request.remove_header(name);
    }
    if gzip {
        request.set_header(header::ACCEPT_ENCODING, "gzip");
    }
    // Fastly's local emulator has no cache with hooks. There the request is sent without them.
    let plain = request.clone_without_body();
    match request.with_after_send(keep).send(ORIGIN) {
        Err(error) if matches!(error.root_cause(), SendErrorCause::HttpCacheApiUnsupported) => {
            plain.send(ORIGIN).map_err(problem)
        }
        answer => answer.map_err(problem),
    }
}

/// Decides whether the cache may keep an origin's answer: only if the answer has Surrogate-Control. Cache-Control is for caches
/// behind this one, and an answer with neither would be kept for some minutes. A stale answer, if there is one, replaces a failure.
fn keep(answer: &mut CandidateResponse) -> Result<(), SendErrorCause> {
    let status = answer.get_status();
    // 501 is no failure of the origin: it says that the origin does not offer this.
    if status.is_server_error() && status.as_u16() != 501 && answer.stale_if_error_available() {
        return Err(SendErrorCause::DestinationUnavailable);
    }
    if !answer.contains_header(&SURROGATE_CONTROL) {
        // The cache remembers that a resource is uncacheable, as requests would otherwise wait for each other. It must not remember
        // this of a failure: each request of the next minutes would go to the origin.
        answer.set_uncacheable(!status.is_server_error());
    }
    Ok(())
}

/// The answer to a request that failed: 503 where no origin answered, 502 where the answer was invalid.
fn problem(error: SendError) -> Problem {
    eprintln!("no answer from the backend {}: {}", error.backend_name(), error.root_cause());
    match error.root_cause() {
        SendErrorCause::HttpIncompleteResponse
        | SendErrorCause::HttpResponseHeaderSectionTooLarge
        | SendErrorCause::HttpResponseBodyTooLarge
        | SendErrorCause::HttpResponseStatusInvalid
        | SendErrorCause::HttpProtocolError => Problem::BadGateway,
        _ => Problem::Unavailable,
    }
}

fn refusal(problem: Problem) -> Response {
    let mut response = Response::from_status(problem.status())
        .with_header(header::CONTENT_TYPE, "application/problem+json")
        .with_header(header::CACHE_CONTROL, "no-store")
        .with_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        // Pages of any origin may read it, as all other answers.
        .with_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        .with_header(header::ACCESS_CONTROL_EXPOSE_HEADERS, "Retry-After")
        .with_body(problem.body());
    if let Some(methods) = problem.allow() {
        response.set_header(header::ALLOW, methods);
    }
    if let Some(seconds) = problem.retry_after() {
        response.set_header(header::RETRY_AFTER, seconds.to_string());
    }
    response
}
