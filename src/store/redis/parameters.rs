//! The parameters behind the `?` of a `REDIS_URL`. Every parameter is obeyed or refused: an operator must not believe in a login
//! or a database that is not used.

use std::borrow::Cow;

use redis::{RedisConnectionInfo, sentinel::SentinelClientBuilder};

use super::url_error::ParseRedisUrlError;
use crate::nearest::nearest;

/// The parameters of a server's URL.
pub(super) const OF_HOST: &[&str] = &["db", "protocol"];
/// The parameters of a socket's URL. The user and the password are parameters, because a socket has no host before which a URL
/// could name them.
pub(super) const OF_SOCKET: &[&str] = &["db", "user", "pass", "protocol"];
/// The parameters of a URL of Sentinels. The login before the host is for the servers, so the login for the Sentinels is in
/// parameters.
pub(super) const OF_SENTINELS: &[&str] = &["db", "sentinel_username", "sentinel_password", "protocol"];

/// The parameters of one URL, decoded.
#[derive(Default)]
pub(super) struct UrlParameters<'a> {
    db: Option<Cow<'a, str>>,
    /// The user of a socket or of the Sentinels.
    user: Option<Cow<'a, str>>,
    password: Option<Cow<'a, str>>,
}

impl<'a> UrlParameters<'a> {
    /// Parses a query that may have the `known` parameters.
    pub(super) fn parse(query: &'a str, known: &[&'static str]) -> Result<Self, ParseRedisUrlError> {
        let mut parameters = UrlParameters::default();
        let mut protocol = None;
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let Some(name) = known.iter().copied().find(|known| *known == name) else {
                return Err(unknown(query, &name, known));
            };
            let slot = match name {
                "db" => &mut parameters.db,
                "user" | "sentinel_username" => &mut parameters.user,
                "pass" | "sentinel_password" => &mut parameters.password,
                _ => &mut protocol,
            };
            if slot.replace(value).is_some() {
                return Err(ParseRedisUrlError::Twice(name));
            }
        }
        if protocol.is_some_and(|protocol| !matches!(&*protocol, "3" | "resp3")) {
            return Err(ParseRedisUrlError::Protocol);
        }
        if parameters.user.is_some() && parameters.password.is_none() {
            return Err(ParseRedisUrlError::UserWithoutPassword);
        }
        Ok(parameters)
    }

    /// The database: of the path, or else of the parameter `db`, or else 0.
    pub(super) fn database(&self, of_path: &str) -> Result<i64, ParseRedisUrlError> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
            let number = digits.then(|| text.parse::<u32>().ok()).flatten();
            number.map(i64::from).ok_or(ParseRedisUrlError::Database)
        };
        match (of_path, &self.db) {
            ("", None) => Ok(0),
            ("", Some(parameter)) => number(parameter),
            (path, None) => number(path),
            (path, Some(parameter)) if number(path)? == number(parameter)? => number(path),
            _ => Err(ParseRedisUrlError::TwoDatabases),
        }
    }

    /// Adds the login of a socket's URL to the settings.
    pub(super) fn log_in(&self, mut settings: RedisConnectionInfo) -> RedisConnectionInfo {
        if let Some(user) = &self.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        settings
    }

    /// Adds the login for the Sentinels.
    pub(super) fn log_in_to_sentinels(&self, mut builder: SentinelClientBuilder) -> SentinelClientBuilder {
        if let Some(user) = &self.user {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = &self.password {
            builder = builder.set_client_to_sentinel_password(password);
        }
        builder
    }
}

fn unknown(query: &str, name: &str, known: &[&str]) -> ParseRedisUrlError {
    // The name may be part of a password with a "?" in it, so the error must not repeat the name.
    if query.contains('@') {
        return ParseRedisUrlError::Malformed;
    }
    let hint = match nearest(name, known.iter().copied()) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("there are {}", known.join(", ")),
    };
    ParseRedisUrlError::UnknownParameter { name: name.chars().take(40).collect(), hint }
}
