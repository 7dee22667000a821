//! livecounter itself with one worker, in each of its modes.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use super::pushpin::{self, Pushpin};
use super::varnish::{self, Varnish};
use super::{Peer, redis};
use crate::http::{Client, request};
use crate::process::{Server, free_port, wait_until};

/// The counter of measurements with one counter.
pub(crate) const HOT: &str = "/counters/hot/";

/// The entity of measurements with one entity.
pub(crate) const ENTITY: &str = "/entity/bench/daily/hot";

/// Starts livecounter without any other server: SQLite, and streams from the process itself. The file is on the disk of the
/// build, since a temporary directory may be in memory, where a sync costs nothing.
pub(crate) fn embedded(interval: Duration) -> Result<Peer> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let database = directory.path().join("bench.db").display().to_string();
    launch(free_port()?, directory, interval, &[("LIVECOUNTER__SQLITE__PATH", database)])
}

/// livecounter on Redis, behind one or more Pushpins to which it publishes.
pub(crate) struct Chain {
    pub(crate) livecounter: Peer,
    pub(crate) pushpins: Vec<Pushpin>,
    pub(crate) redis: Peer,
}

impl Chain {
    /// The first Pushpin.
    pub(crate) fn pushpin(&self) -> &Peer {
        &self.pushpins[0].peer
    }
}

/// Starts Redis, Pushpin and livecounter.
pub(crate) fn chain(interval: Duration) -> Result<Chain> {
    start(interval, 1, &[])
}

/// The same with further settings of livecounter, as variables of its environment.
pub(crate) fn chain_with(interval: Duration, settings: &[(&str, &str)]) -> Result<Chain> {
    start(interval, 1, settings)
}

/// The same with so many Pushpins.
pub(crate) fn chain_of(pushpins: usize, interval: Duration) -> Result<Chain> {
    start(interval, pushpins, &[])
}

fn start(interval: Duration, pushpins: usize, settings: &[(&str, &str)]) -> Result<Chain> {
    let redis = redis::start()?;
    let port = free_port()?;
    let pushpins: Vec<Pushpin> = (0..pushpins).map(|_| pushpin::start(port)).collect::<Result<_>>()?;
    let proxy = |pushpin: &Pushpin| {
        format!("http://127.0.0.1:{}/?verify-iss=pushpin&verify-key={}", pushpin.control, pushpin::KEY)
    };
    let mut environment = vec![
        ("REDIS_URL", format!("redis://127.0.0.1:{}/", redis.port())),
        ("GRIP_URL", pushpins.iter().map(proxy).collect::<Vec<_>>().join(" ")),
    ];
    environment.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let livecounter = launch(port, tempfile::tempdir()?, interval, &environment)?;
    Ok(Chain { livecounter, pushpins, redis })
}

/// Several origins on one Redis, behind one cache and one Pushpin.
pub(crate) struct Origins {
    pub(crate) origins: Vec<Peer>,
    pub(crate) cache: Varnish,
    pub(crate) pushpin: Pushpin,
    _redis: Peer,
}

/// Starts all servers. Returns when each origin has answered a POST through the cache.
pub(crate) fn origins(count: usize, interval: Duration) -> Result<Origins> {
    let redis = redis::start()?;
    let ports: Vec<u16> = (0..count).map(|_| free_port()).collect::<Result<_>>()?;
    let cache = varnish::start(&ports)?;
    let pushpin = pushpin::start(cache.peer.port())?;
    let grip = format!("http://127.0.0.1:{}/?iss=pushpin&key={}", pushpin.control, pushpin::KEY);
    let environment = [
        ("REDIS_URL", format!("redis://127.0.0.1:{}/", redis.port())),
        ("GRIP_URL", grip),
        ("FASTLY_SERVICE_ID", "bench".to_owned()),
        ("FASTLY_API_KEY", varnish::API_KEY.to_owned()),
        ("LIVECOUNTER__FASTLY__API_URL", format!("http://127.0.0.1:{}", cache.control)),
    ];
    let start = |port| launch(port, tempfile::tempdir()?, interval, &environment);
    let origins: Vec<Peer> = ports.into_iter().map(start).collect::<Result<_>>()?;
    let mut client = Client::new(cache.peer.port());
    let is_reached = |origin: &Peer| metric(origin.port(), POSTS).is_ok_and(|posts| posts > 0.0);
    wait_until("every origin to answer a POST", Duration::from_secs(15), || {
        let _ = client.send(&request("POST", "/counters/warm-up/", &[], "")); // 503 until the cache considers an origin healthy
        origins.iter().all(is_reached)
    })?;
    Ok(Origins { origins, cache, pushpin, _redis: redis })
}

const POSTS: &str = r#"livecounter_http_requests_total{route="/counters/{id}/",method="POST",status="200""#;

/// Requests for reading: those for new listeners, and a proxy's recoveries.
pub(crate) const READS: &str = r#"livecounter_http_requests_total{route="/counters/{id}/",method="GET""#;
pub(crate) const RECOVERIES: &str = r#"livecounter_http_requests_total{route="/counters/{id}/recover""#;

/// How many requests for reading the origin has answered.
pub(crate) fn reads(port: u16) -> Result<f64> {
    Ok(metric(port, READS)? + metric(port, RECOVERIES)?)
}

/// The sum of a metric's lines that contain `part`.
pub(crate) fn metric(port: u16, part: &str) -> Result<f64> {
    let response = Client::new(port).demand(&request("GET", "/metrics", &[], ""))?;
    let lines = response.body.lines().filter(|line| !line.starts_with('#') && line.contains(part));
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

fn launch(
    port: u16,
    directory: tempfile::TempDir,
    interval: Duration,
    environment: &[(&str, String)],
) -> Result<Peer> {
    let program = match env::var_os("BENCH_LIVECOUNTER") {
        Some(program) => PathBuf::from(program),
        None => PathBuf::from(env!("CARGO_BIN_EXE_livecounter")),
    };
    let mut all = vec![
        ("LIVECOUNTER__LISTEN", format!("127.0.0.1:{port}")),
        ("LIVECOUNTER__WORKERS", "1".to_owned()),
        ("LIVECOUNTER__PUBLISH__INTERVAL", format!("{}ms", interval.as_millis())),
        ("RUST_LOG", "warn".to_owned()),
    ];
    all.extend_from_slice(environment);
    let server = Server::start("livecounter", &program, [""; 0], &all, directory.path())?;
    let mut client = Client::new(port);
    let server = server.ready(|| client.demand(&request("GET", "/readyz", &[], "")).is_ok())?;
    Ok(Peer { server, port, _directory: directory })
}

/// The header lines of a stream request as Pushpin signs them.
pub(crate) fn signed() -> Result<Vec<String>> {
    let expires = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 3_600;
    let claims = json!({ "iss": "pushpin", "exp": expires });
    let key = EncodingKey::from_secret(pushpin::KEY.as_bytes());
    livecounter::jwt::install();
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key)?;
    Ok(vec!["Accept: text/event-stream".to_owned(), format!("Grip-Sig: {token}")])
}

/// Adds one to the hot counter and returns its value.
pub(crate) fn add(client: &mut Client) -> Result<i64> {
    let response = client.demand(&request("POST", HOT, &[], ""))?;
    response.body.trim().parse().with_context(|| format!("POST {HOT} answered {:?}", response.body))
}

/// The value of the hot counter.
pub(crate) fn value(port: u16) -> Result<i64> {
    let response = Client::new(port).demand(&request("GET", HOT, &[], ""))?;
    response.body.trim().parse().with_context(|| format!("GET {HOT} answered {:?}", response.body))
}

/// The field `views` of the hot entity.
pub(crate) fn views(port: u16) -> Result<i64> {
    let response = Client::new(port).demand(&request("GET", ENTITY, &[], ""))?;
    let entity: serde_json::Value = serde_json::from_str(&response.body)?;
    entity["payload"]["views"].as_i64().with_context(|| format!("GET {ENTITY} answered {entity}"))
}

/// Fails unless a signed stream request is answered with a hold.
pub(crate) fn holds(port: u16) -> Result<()> {
    let response = Client::new(port).demand(&request("GET", HOT, &signed()?, ""))?;
    if response.head.field("grip-hold") != Some("stream") {
        bail!("a signed GET {HOT} was not answered with Grip-Hold: stream");
    }
    Ok(())
}
