//! The program at Fastly's edge: asks what is to be done with a request, and does it.
//!
//! A listener passes here twice: first as itself, to be handed over to Fanout; then as Fanout, signed, to be answered
//! from the cache with the value and the instructions to hold. See docs/fastly.md.

use std::time::{SystemTime, UNIX_EPOCH};

use fastly::http::CandidateResponse;
use fastly::http::request::{SendError, SendErrorCause};
use fastly::http::{HeaderName, HeaderValue, header};
use fastly::{ConfigStore, Request, Response};
use livecounter_edge::{
    FASTLY_KEY, Plan, Problem, RequestFacts, Verifier, is_grip, is_surrogate, issuer_of, normalize_path,
    query_counts, sort_counters,
};

/// The origins, behind one name.
const ORIGIN: &str = "origin";
/// This very service, by a host name of its own: what Fanout asks.
const OWN: &str = "self";
/// The config store; it may be missing, and so may each of its keys.
const CONFIG: &str = "livecounter";

/// The client's address, from the first pass to the second; Fanout hands it on. Also the mark of a request that was
/// handed over. Always written before it is sent, so what a client sends under this name reaches nobody.
static CLIENT: HeaderName = HeaderName::from_static("x-livecounter-client");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static GRIP_SIG: HeaderName = HeaderName::from_static("grip-sig");
static GRIP_LAST: HeaderName = HeaderName::from_static("grip-last");
static SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");
static PRIVATE: [HeaderName; 2] = [header::AUTHORIZATION, HeaderName::from_static("x-ocean-key")];
/// What is between the client and this machine, or says of the client what only this program may. Who is named in
/// `Connection` is dropped by proxies on the way, so it would be a way to hide.
static NOT_SENT_ON: [HeaderName; 3] = [header::CONNECTION, header::UPGRADE, header::FORWARDED];

fn main() {
    let mut request = Request::from_client();
    let path = sort_counters(normalize_path(request.get_path()));
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

/// A browser shows a page of another origin what it has facts for with credentials only where the answer names this
/// origin. What the cache keeps is for all, so it names none: each answer does when it leaves.
fn name_the_origin(response: &mut Response, origin: Option<HeaderValue>) {
    let Some(origin) = origin.filter(|origin| origin.len() <= 300) else { return };
    response.set_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response.set_header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    let varies = response.get_header_all_str_lossy(header::VARY).join(",").to_ascii_lowercase();
    if !varies.split(',').any(|name| name.trim() == "origin") {
        response.append_header(header::VARY, "Origin");
    }
}

fn plan(request: &Request, signed: bool) -> Plan {
    // Lossy: the strict ones end the program at the first byte that is no text, and those bytes are a client's to send.
    let accept = request.get_header_all_str_lossy(header::ACCEPT);
    RequestFacts {
        method: request.get_method_str(),
        path: request.get_path(),
        accept: &accept.join(","),
        signed,
        handed_off: request.contains_header(&CLIENT),
        recovers: request.contains_header(&GRIP_LAST),
        private: PRIVATE.iter().any(|name| request.contains_header(name)),
    }
    .plan()
}

/// Whether Fanout sends this. A key that cannot be used makes nothing signed: nobody is trusted by mistake.
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

/// Leaves nothing of what only Fanout may say, and writes down who the client is.
fn clean(request: &mut Request, signed: bool) {
    if !signed {
        let grip: Vec<HeaderName> =
            request.get_header_names().filter(|n| is_grip(n.as_str())).cloned().collect();
        grip.into_iter().for_each(|name| drop(request.remove_header(name)));
        match request.get_client_ip_addr() {
            Some(address) => request.set_header(&CLIENT, address.to_string()),
            None => drop(request.remove_header(&CLIENT)),
        }
    }
    NOT_SENT_ON.iter().for_each(|name| drop(request.remove_header(name)));
    // Fanout's own recoveries are nobody's in particular.
    match request.get_header(&CLIENT).cloned() {
        Some(address) => request.set_header(&FORWARDED_FOR, address),
        None => drop(request.remove_header(&FORWARDED_FOR)),
    }
}

/// To Fanout. It has to find the mark of the hand-over also where the client's address is not known.
fn hand_off(mut request: Request) -> Result<(), Problem> {
    if !request.contains_header(&CLIENT) {
        request.set_header(&CLIENT, "unknown");
    }
    request.handoff_fanout(OWN).map_err(|error| {
        eprintln!("cannot hand over to Fanout: {error}");
        Problem::NoFanout
    })
}

/// For an origin, who has the client's address in another header.
fn unmarked(mut request: Request) -> Request {
    request.remove_header(&CLIENT);
    request
}

/// From the cache or, through it, from the origin. Follows the origin's Surrogate-Control, Surrogate-Key and Vary.
fn look_up(request: Request, accept: &str) -> Result<Response, Problem> {
    // A body cannot belong to what is kept for all.
    let mut request = request.clone_without_body();
    if !query_counts(request.get_path()) {
        request.remove_query();
    }
    request.set_header(header::ACCEPT, accept);
    // Nothing public depends on who asks; a held stream has no part of a body, no "not modified", and no compression.
    for name in [
        header::COOKIE,
        header::RANGE,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::ACCEPT_ENCODING,
    ] {
        request.remove_header(name);
    }
    // Where the host has no cache that a program may see into (Fastly's local emulator), there are no hooks either.
    let plain = request.clone_without_body();
    match request.with_after_send(keep).send(ORIGIN) {
        Err(error) if matches!(error.root_cause(), SendErrorCause::HttpCacheApiUnsupported) => {
            plain.send(ORIGIN).map_err(problem)
        }
        answer => answer.map_err(problem),
    }
}

/// What may be kept of an origin's answer: only what it says it for. Cache-Control speaks to caches behind us, and an
/// answer that says nothing would be kept for some minutes. A failure gives way to a stale answer, where there is one.
fn keep(answer: &mut CandidateResponse) -> Result<(), SendErrorCause> {
    let status = answer.get_status();
    // 501 is an answer: this cannot be had here.
    if status.is_server_error() && status.as_u16() != 501 && answer.stale_if_error_available() {
        return Err(SendErrorCause::DestinationUnavailable);
    }
    if !answer.contains_header(&SURROGATE_CONTROL) {
        // That a resource is never kept is worth remembering, or requests would wait for each other. A failure is not: all
        // who come in the next minutes would ask the origin, each by itself.
        answer.set_uncacheable(!status.is_server_error());
    }
    Ok(())
}

/// What a request that failed is answered: 503 where nobody could be facts, 502 where an answer was no good.
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
        // Browsers may read it, as they may read everything else here.
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
