//! Reads `REDIS_URL`: which Redis, Sentinels or Cluster it names.

use std::sync::Arc;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, TlsMode};

use super::cluster::Cluster;
use super::connection::{RedisConnection, Server};
use super::parameters::{OF_HOST, OF_SENTINELS, OF_SOCKET, UrlParameters};
use super::sentinel::Sentinels;
use super::topology::Topology;
use super::url_error::ParseRedisUrlError;

/// Reads the URL; opens nothing.
pub(super) fn parse(url: &str, timeout: Duration) -> Result<Topology, ParseRedisUrlError> {
    let url = RedisUrl::of(url)?;
    if url.is_tls() {
        // If a provider is installed already, that one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    match url.kind {
        UrlKind::Host | UrlKind::Socket => {
            let client = Client::open(url.info()?).map_err(|_| ParseRedisUrlError::Malformed)?;
            Ok(Topology::One(Arc::new(RedisConnection::new(Server::Fixed(Box::new(client)), timeout))))
        }
        UrlKind::Cluster => cluster(&url, timeout),
        UrlKind::Sentinels => sentinels(&url, timeout),
    }
}

/// Describes the servers that a URL names, without the secrets in it.
pub fn describe(url: &str) -> Result<String, ParseRedisUrlError> {
    let url = RedisUrl::of(url)?;
    let (servers, database) = match url.kind {
        UrlKind::Cluster => (format!("the Redis Cluster at {}", url.hosts), 0),
        UrlKind::Sentinels => {
            let (master, database) = url.master()?;
            (format!("the Redis {master} of the Sentinels at {}", url.hosts), database)
        }
        UrlKind::Host | UrlKind::Socket => {
            let info = url.info()?;
            (format!("the Redis at {}", info.addr()), info.redis_settings().db())
        }
    };
    Ok(match database {
        0 => servers,
        number => format!("{servers}, database {number}"),
    })
}

/// The kind of servers that a URL names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UrlKind {
    Host,
    Socket,
    Cluster,
    Sentinels,
}

/// The parts of a URL.
struct RedisUrl<'a> {
    kind: UrlKind,
    /// The scheme of the URL of a single server, as the client library reads it.
    scheme: &'static str,
    /// User and password with the `@` behind them, or empty.
    login: &'a str,
    hosts: &'a str,
    path: &'a str,
    parameters: UrlParameters<'a>,
}

impl<'a> RedisUrl<'a> {
    fn of(url: &'a str) -> Result<Self, ParseRedisUrlError> {
        // A secret from a file often ends with a line break.
        let (scheme, rest) = url.trim().split_once("://").ok_or(ParseRedisUrlError::Scheme)?;
        let (kind, scheme, known) = match scheme {
            "redis" => (UrlKind::Host, "redis", OF_HOST),
            "rediss" => (UrlKind::Host, "rediss", OF_HOST),
            "unix" | "redis+unix" => (UrlKind::Socket, "unix", OF_SOCKET),
            "redis+cluster" => (UrlKind::Cluster, "redis", OF_HOST),
            "rediss+cluster" => (UrlKind::Cluster, "rediss", OF_HOST),
            "redis+sentinel" => (UrlKind::Sentinels, "redis", OF_SENTINELS),
            "rediss+sentinel" => (UrlKind::Sentinels, "rediss", OF_SENTINELS),
            _ => return Err(ParseRedisUrlError::Scheme),
        };
        if let Some((_, fragment)) = rest.split_once('#') {
            let insecure = fragment == "insecure";
            return Err(if insecure { ParseRedisUrlError::Insecure } else { ParseRedisUrlError::Fragment });
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let parameters = UrlParameters::parse(query, known)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        if kind == UrlKind::Host && hosts.contains(',') {
            return Err(ParseRedisUrlError::SeveralHosts);
        }
        let (user, password) = login.trim_end_matches('@').split_once(':').unwrap_or((login, ""));
        if !user.is_empty() && password.is_empty() {
            return Err(ParseRedisUrlError::UserWithoutPassword);
        }
        Ok(RedisUrl { kind, scheme, login, hosts, path, parameters })
    }

    fn is_tls(&self) -> bool {
        self.scheme == "rediss"
    }

    /// The address and login of one server, or of one socket.
    fn info(&self) -> Result<ConnectionInfo, ParseRedisUrlError> {
        if self.kind == UrlKind::Socket {
            let info = info(&format!("unix://{}{}/{}", self.login, self.hosts, self.path))?;
            let settings = self.parameters.log_in(info.redis_settings().clone());
            return Ok(info.set_redis_settings(settings.set_db(self.parameters.database("")?)));
        }
        let info = self.host_info(self.hosts, self.login)?;
        let settings = info.redis_settings().clone().set_db(self.database()?);
        Ok(info.set_redis_settings(settings))
    }

    /// The address of one of the hosts, with or without the login.
    fn host_info(&self, host: &str, login: &str) -> Result<ConnectionInfo, ParseRedisUrlError> {
        info(&format!("{}://{login}{host}/", self.scheme))
    }

    fn hosts(&self) -> impl Iterator<Item = &'a str> {
        self.hosts.split(',')
    }

    /// The database of a URL whose path can only be a database.
    fn database(&self) -> Result<i64, ParseRedisUrlError> {
        self.parameters.database(self.path.trim_matches('/'))
    }

    /// The name of the master, and its database.
    fn master(&self) -> Result<(&'a str, i64), ParseRedisUrlError> {
        let path = self.path.trim_matches('/');
        let (master, database) = path.split_once('/').unwrap_or((path, ""));
        if master.is_empty() {
            return Err(ParseRedisUrlError::NoMasterName);
        }
        Ok((master, self.parameters.database(database)?))
    }
}

fn info(url: &str) -> Result<ConnectionInfo, ParseRedisUrlError> {
    let info = url.into_connection_info().map_err(|_| ParseRedisUrlError::Malformed)?;
    // Only with RESP3 does the client library report that an idle connection is lost.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

fn cluster(url: &RedisUrl<'_>, timeout: Duration) -> Result<Topology, ParseRedisUrlError> {
    if url.database()? != 0 {
        return Err(ParseRedisUrlError::ClusterDatabase);
    }
    let seeds = url.hosts().map(|host| url.host_info(host, url.login));
    Ok(Topology::Cluster(Box::new(Cluster::new(seeds.collect::<Result<_, _>>()?, timeout))))
}

fn sentinels(url: &RedisUrl<'_>, timeout: Duration) -> Result<Topology, ParseRedisUrlError> {
    let (master, database) = url.master()?;
    let mut sentinels = Vec::new();
    for host in url.hosts() {
        let addr = url.host_info(host, "")?.addr().clone();
        let unsaid = !host.ends_with(|last: char| last.is_ascii_digit()) || !host.contains(':');
        sentinels.push(if unsaid { with_port(addr, 26379) } else { addr });
    }
    let first = url.hosts().next().unwrap_or_default();
    let login = url.host_info(first, url.login)?;
    let login = login.redis_settings();
    let mut builder = SentinelClientBuilder::new(sentinels, master, SentinelServerType::Master)
        .map_err(|_| ParseRedisUrlError::Malformed)?
        .set_client_to_redis_db(database)
        .set_client_to_redis_protocol(ProtocolVersion::RESP3)
        .set_client_to_redis_tcp_settings(TcpSettings::default().set_nodelay(true));
    if url.is_tls() {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    builder = url.parameters.log_in_to_sentinels(builder);
    if let Some(username) = login.username() {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = login.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    let client = builder.build().map_err(|_| ParseRedisUrlError::Malformed)?;
    let server = Server::Master(Arc::new(Sentinels::new(client)));
    Ok(Topology::One(Arc::new(RedisConnection::new(server, timeout))))
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

    fn parsed(url: &str) -> Result<Topology, ParseRedisUrlError> {
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
            "redis+unix:///run/redis@1.sock?user=u&pass=p@ss&protocol=resp3",
            "redis://localhost?db=5&protocol=3",
        ] {
            assert!(matches!(parsed(url), Ok(Topology::One(_))), "{url}");
        }
        for url in [
            "redis+sentinel://:secret@a:26379,b,[::1]/main/2",
            "rediss+sentinel://a/main?sentinel_password=p%40ss&sentinel_username=u&db=2",
        ] {
            assert!(matches!(parsed(url), Ok(Topology::One(_))), "{url}");
        }
        for url in
            ["redis+cluster://:secret@a:7000,b:7001", "rediss+cluster://a,b/0", "redis+cluster://a?db=0"]
        {
            assert!(matches!(parsed(url), Ok(Topology::Cluster(_))), "{url}");
        }
    }

    #[test]
    fn a_place_is_named_without_the_password() {
        for (url, expected) in [
            ("redis://user:hunter2@cache", "the Redis at cache:6379"),
            ("rediss://:hunter2@cache:6380/3", "the Redis at cache:6380, database 3"),
            ("redis+unix:///run/redis.sock?pass=hunter2", "the Redis at /run/redis.sock"),
            ("redis+cluster://:hunter2@a:7000,b", "the Redis Cluster at a:7000,b"),
            ("redis://cache?db=5", "the Redis at cache:6379, database 5"),
            ("redis://cache/?db=5", "the Redis at cache:6379, database 5"),
            ("redis://cache/5\n", "the Redis at cache:6379, database 5"),
            ("redis://cache/5?db=5", "the Redis at cache:6379, database 5"),
            ("unix:///run/redis.sock?db=5", "the Redis at /run/redis.sock, database 5"),
            ("redis+sentinel://a/main/5", "the Redis main of the Sentinels at a, database 5"),
            ("redis+sentinel://a/main?db=5", "the Redis main of the Sentinels at a, database 5"),
            (
                "rediss+sentinel://u:hunter2@a,b:2/main?sentinel_password=hunter2",
                "the Redis main of the Sentinels at a,b:2",
            ),
        ] {
            assert!(parsed(url).is_ok(), "{url}");
            assert_eq!(describe(url).as_deref(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn the_mistake_in_an_address_is_named_without_the_password() {
        use ParseRedisUrlError as E;
        for (url, expected) in [
            ("localhost:6379", E::Scheme),
            ("http://:hunter2@localhost", E::Scheme),
            ("redis://:hunter2@", E::Malformed),
            ("redis://:hunter2@localhost:port", E::Malformed),
            ("redis://:hunter2@localhost/main", E::Database),
            ("redis://:hunter2@localhost/-1", E::Database),
            ("redis://:hunter2@localhost?db=", E::Database),
            ("redis://:hunter2@localhost?db=x", E::Database),
            ("redis://:hunter2@localhost/1?db=2", E::TwoDatabases),
            ("redis://localhost?db=1&db=2", E::Twice("db")),
            ("redis://:hunter2@localhost?protocol=2", E::Protocol),
            ("redis://hunter2@localhost", E::UserWithoutPassword),
            ("redis://hunter2:@localhost", E::UserWithoutPassword),
            ("redis+unix:///run/redis.sock?user=hunter2", E::UserWithoutPassword),
            ("redis+unix://u:hunter2@/run/redis.sock", E::Malformed),
            ("redis+unix://host/run/redis.sock", E::Malformed),
            ("redis+sentinel://a/main?sentinel_username=u", E::UserWithoutPassword),
            ("rediss://:hunter2@localhost/#insecure", E::Insecure),
            ("rediss+cluster://a,b#insecure", E::Insecure),
            ("rediss+sentinel://a/main#insecure", E::Insecure),
            ("redis+unix:///run/redis.sock#hunter2", E::Fragment),
            ("redis://:hunter2#x@localhost", E::Fragment),
            ("redis://:a?hunter2=b@localhost", E::Malformed),
            ("redis://:a/hunter2@localhost", E::Malformed),
            ("redis://:hunter2@a,b", E::SeveralHosts),
            ("redis+sentinel://:hunter2@a,b", E::NoMasterName),
            ("redis+sentinel://:hunter2@a/main/x", E::Database),
            ("redis+sentinel://a/main/1?db=2", E::TwoDatabases),
            ("redis+cluster://:hunter2@a,b/1", E::ClusterDatabase),
            ("redis+cluster://:hunter2@a,b?db=1", E::ClusterDatabase),
            ("redis+cluster://:hunter2@a,/", E::Malformed),
        ] {
            let error = parsed(url).err().expect(url);
            assert_eq!(error, expected, "{url}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
    }

    #[test]
    fn an_unknown_parameter_names_the_nearest_or_all_that_there_are() {
        for (url, expected) in [
            ("redis://a?dbs=1", "there is no parameter \"dbs\"; did you mean db?"),
            ("rediss://a?DB=1", "there is no parameter \"DB\"; did you mean db?"),
            ("redis://a?timeout=hunter2", "there is no parameter \"timeout\"; there are db, protocol"),
            ("redis://a?pass=hunter2", "there is no parameter \"pass\"; there are db, protocol"),
            (
                "unix:///s?password=hunter2",
                "there is no parameter \"password\"; there are db, user, pass, protocol",
            ),
            ("unix:///s?users=hunter2", "there is no parameter \"users\"; did you mean user?"),
            ("redis+cluster://a,b?proto=3", "there is no parameter \"proto\"; there are db, protocol"),
            (
                "redis+sentinel://a/main?sentinel_pasword=hunter2",
                "there is no parameter \"sentinel_pasword\"; did you mean sentinel_password?",
            ),
        ] {
            let error = parsed(url).err().expect(url);
            assert_eq!(error.to_string(), expected, "{url}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
    }
}
