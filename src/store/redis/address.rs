//! From `REDIS_URL` to whom to connect to.

use std::sync::Arc;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, TlsMode};

use super::cluster::Cluster;
use super::link::{Link, Server};
use super::sentinel::Sentinels;

/// The URL names no Redis. Says what is wrong without repeating the URL, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRedisUrlError {
    /// Another scheme, or none.
    #[error(
        "must begin with redis://, rediss://, redis+unix:// (or unix://), redis+cluster://, rediss+cluster://, \
         redis+sentinel:// or rediss+sentinel://"
    )]
    Scheme,
    /// No host, a port that is no number, a path that is no database number, and the like.
    #[error("must be like redis://user:password@host:6379/0 or redis+unix:///run/redis/redis.sock")]
    Malformed,
    /// Several hosts behind a scheme for one.
    #[error("several hosts need redis+cluster:// or redis+sentinel://")]
    SeveralHosts,
    /// No master's name behind the Sentinels.
    #[error("must name the master: redis+sentinel://host1:26379,host2:26379/mymaster")]
    NoMasterName,
    /// Something else behind the `?` than the Sentinels' own login.
    #[error("behind the ? of redis+sentinel:// only sentinel_username and sentinel_password are known")]
    UnknownParameter,
    /// A Cluster has database 0 only.
    #[error("a Cluster has no databases to choose from")]
    ClusterDatabase,
}

/// Whom the commands go to.
pub(super) enum Route {
    /// One Redis holds everything.
    One(Arc<Link>),
    /// Each bucket is on one of several.
    Cluster(Box<Cluster>),
}

/// Reads the URL; opens nothing.
pub(super) fn parse(url: &str, timeout: Duration) -> Result<Route, ParseRedisUrlError> {
    let (scheme, rest) = url.split_once("://").ok_or(ParseRedisUrlError::Scheme)?;
    if scheme.starts_with("rediss") {
        // Whoever chose a provider first keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let parts = Parts::of(rest);
    match scheme {
        "redis" | "rediss" if parts.hosts.contains(',') => Err(ParseRedisUrlError::SeveralHosts),
        "redis" | "rediss" | "unix" | "redis+unix" => one(url, timeout),
        "redis+cluster" => cluster("redis", &parts, timeout),
        "rediss+cluster" => cluster("rediss", &parts, timeout),
        "redis+sentinel" => sentinel("redis", &parts, timeout),
        "rediss+sentinel" => sentinel("rediss", &parts, timeout),
        _ => Err(ParseRedisUrlError::Scheme),
    }
}

/// Whom a URL names, for people: without what is secret in it.
pub fn place(url: &str) -> Result<String, ParseRedisUrlError> {
    let (scheme, rest) = url.split_once("://").ok_or(ParseRedisUrlError::Scheme)?;
    let parts = Parts::of(rest);
    Ok(match scheme {
        "redis+cluster" | "rediss+cluster" => format!("the Redis Cluster at {}", parts.hosts),
        "redis+sentinel" | "rediss+sentinel" => {
            format!("the Redis {} of the Sentinels at {}", parts.path, parts.hosts)
        }
        _ => {
            let info = info(url)?;
            let database = match info.redis_settings().db() {
                0 => String::new(),
                number => format!(", database {number}"),
            };
            format!("the Redis at {}{database}", info.addr())
        }
    })
}

/// What lies between `://` and the end.
struct Parts<'a> {
    /// With the `@`, or empty.
    login: &'a str,
    hosts: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Self {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Parts { login, hosts, path: path.trim_matches('/'), query }
    }

    /// One host's own URL, as the client library reads it.
    fn host_info(&self, scheme: &str, host: &str, login: &str) -> Result<ConnectionInfo, ParseRedisUrlError> {
        info(&format!("{scheme}://{login}{host}/?{}", self.query))
    }

    fn hosts(&self) -> impl Iterator<Item = &'a str> {
        self.hosts.split(',')
    }
}

fn info(url: &str) -> Result<ConnectionInfo, ParseRedisUrlError> {
    let info = url.into_connection_info().map_err(|_| ParseRedisUrlError::Malformed)?;
    // RESP3 because only it tells of a connection lost while idle.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

fn one(url: &str, timeout: Duration) -> Result<Route, ParseRedisUrlError> {
    let client = Client::open(info(url)?).map_err(|_| ParseRedisUrlError::Malformed)?;
    Ok(Route::One(Arc::new(Link::new(Server::Fixed(Box::new(client)), timeout))))
}

fn cluster(scheme: &str, parts: &Parts<'_>, timeout: Duration) -> Result<Route, ParseRedisUrlError> {
    if !matches!(parts.path, "" | "0") {
        return Err(ParseRedisUrlError::ClusterDatabase);
    }
    let seeds = parts.hosts().map(|host| parts.host_info(scheme, host, parts.login));
    Ok(Route::Cluster(Box::new(Cluster::new(seeds.collect::<Result<_, _>>()?, timeout))))
}

fn sentinel(scheme: &str, parts: &Parts<'_>, timeout: Duration) -> Result<Route, ParseRedisUrlError> {
    let (master, database) = parts.path.split_once('/').unwrap_or((parts.path, "0"));
    if master.is_empty() {
        return Err(ParseRedisUrlError::NoMasterName);
    }
    let database = database.parse().map_err(|_| ParseRedisUrlError::Malformed)?;
    let mut sentinels = Vec::new();
    for host in parts.hosts() {
        let addr = parts.host_info(scheme, host, "")?.addr().clone();
        let unsaid = !host.ends_with(|last: char| last.is_ascii_digit()) || !host.contains(':');
        sentinels.push(if unsaid { with_port(addr, 26379) } else { addr });
    }
    let first = parts.hosts().next().unwrap_or_default();
    let login = parts.host_info(scheme, first, parts.login)?;
    let login = login.redis_settings();
    let mut builder = SentinelClientBuilder::new(sentinels, master, SentinelServerType::Master)
        .map_err(|_| ParseRedisUrlError::Malformed)?
        .set_client_to_redis_db(database)
        .set_client_to_redis_protocol(ProtocolVersion::RESP3)
        .set_client_to_redis_tcp_settings(TcpSettings::default().set_nodelay(true));
    if scheme == "rediss" {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    for (name, value) in url::form_urlencoded::parse(parts.query.as_bytes()) {
        builder = match &*name {
            "sentinel_username" => builder.set_client_to_sentinel_username(value),
            "sentinel_password" => builder.set_client_to_sentinel_password(value),
            _ => return Err(ParseRedisUrlError::UnknownParameter),
        };
    }
    if let Some(username) = login.username() {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = login.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    let client = builder.build().map_err(|_| ParseRedisUrlError::Malformed)?;
    let server = Server::Master(Arc::new(Sentinels::new(client)));
    Ok(Route::One(Arc::new(Link::new(server, timeout))))
}

/// The same host at another port.
fn with_port(addr: ConnectionAddr, port: u16) -> ConnectionAddr {
    match addr {
        ConnectionAddr::Tcp(host, _) => ConnectionAddr::Tcp(host, port),
        ConnectionAddr::TcpTls { host, insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<Route, ParseRedisUrlError> {
        parse(url, Duration::from_secs(2))
    }

    #[test]
    fn every_documented_form_is_an_address() {
        for url in [
            "redis://localhost",
            "redis://user:p%40ss@localhost:6380/3",
            "redis://:secret@[::1]:6380",
            "rediss://localhost:6380",
            "unix:///run/redis.sock",
            "redis+unix:///run/redis.sock?db=2",
        ] {
            assert!(matches!(parsed(url), Ok(Route::One(_))), "{url}");
        }
        for url in [
            "redis+sentinel://:secret@a:26379,b,[::1]/main/2",
            "rediss+sentinel://a/main?sentinel_password=p%40ss",
        ] {
            assert!(matches!(parsed(url), Ok(Route::One(_))), "{url}");
        }
        for url in ["redis+cluster://:secret@a:7000,b:7001", "rediss+cluster://a,b/0"] {
            assert!(matches!(parsed(url), Ok(Route::Cluster(_))), "{url}");
        }
    }

    #[test]
    fn a_place_is_named_without_the_password() {
        for (url, expected) in [
            ("redis://user:hunter2@cache", "the Redis at cache:6379"),
            ("rediss://:hunter2@cache:6380/3", "the Redis at cache:6380, database 3"),
            ("redis+unix:///run/redis.sock?pass=hunter2", "the Redis at /run/redis.sock"),
            ("redis+cluster://:hunter2@a:7000,b", "the Redis Cluster at a:7000,b"),
            (
                "rediss+sentinel://u:hunter2@a,b:2/main?sentinel_password=hunter2",
                "the Redis main of the Sentinels at a,b:2",
            ),
        ] {
            assert!(parsed(url).is_ok(), "{url}");
            assert_eq!(place(url).as_deref(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, expected) in [
            ("localhost:6379", ParseRedisUrlError::Scheme),
            ("http://:hunter2@localhost", ParseRedisUrlError::Scheme),
            ("redis://:hunter2@", ParseRedisUrlError::Malformed),
            ("redis://:hunter2@localhost:port", ParseRedisUrlError::Malformed),
            ("redis://:hunter2@localhost/main", ParseRedisUrlError::Malformed),
            ("redis://:hunter2@a,b", ParseRedisUrlError::SeveralHosts),
            ("redis+sentinel://:hunter2@a,b", ParseRedisUrlError::NoMasterName),
            ("redis+sentinel://:hunter2@a/main/x", ParseRedisUrlError::Malformed),
            ("redis+sentinel://a/main?password=hunter2", ParseRedisUrlError::UnknownParameter),
            ("redis+cluster://:hunter2@a,b/1", ParseRedisUrlError::ClusterDatabase),
            ("redis+cluster://:hunter2@a,/", ParseRedisUrlError::Malformed),
        ] {
            let error = parsed(url).err().expect(url);
            assert_eq!(error, expected, "{url}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
    }
}
