//! Why a `REDIS_URL` cannot be used.

/// The URL names no Redis. Says what is wrong without repeating the URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRedisUrlError {
    /// Another scheme, or none.
    #[error(
        "must begin with redis://, rediss://, redis+unix:// (or unix://), redis+cluster://, rediss+cluster://, \
         redis+sentinel:// or rediss+sentinel://"
    )]
    Scheme,
    /// No host, a port that is no number, and the like.
    #[error(
        "must be like redis://user:password@host:6379/0 or redis+unix:///run/redis/redis.sock; in a password, write / as \
         %2F, ? as %3F, # as %23 and @ as %40"
    )]
    Malformed,
    /// Several hosts behind a scheme for one.
    #[error("several hosts need redis+cluster:// or redis+sentinel://")]
    SeveralHosts,
    /// No master's name behind the Sentinels.
    #[error("must name the master: redis+sentinel://host1:26379,host2:26379/mymaster")]
    NoMasterName,
    /// A parameter behind the `?` that this program does not know.
    #[error("there is no parameter {name:?}; {hint}")]
    UnknownParameter {
        /// The name of the parameter.
        name: String,
        /// The known name that is nearest, or all known names.
        hint: String,
    },
    /// The same parameter twice.
    #[error("has the parameter {0} twice")]
    Twice(&'static str),
    /// A database that is no number.
    #[error("the database must be a whole number, as in redis://host/5 or redis://host?db=5")]
    Database,
    /// One database in the path, another as `db`.
    #[error("names two databases, one in its path and another as db")]
    TwoDatabases,
    /// A Cluster has database 0 only.
    #[error("a Cluster has no databases to choose from")]
    ClusterDatabase,
    /// Redis needs a password for a user.
    #[error("has a user but no password; a password without a user is written redis://:password@host")]
    UserWithoutPassword,
    /// Another protocol than the one that tells of connections lost while idle.
    #[error("the parameter protocol can only be 3")]
    Protocol,
    /// `#insecure`.
    #[error(
        "#insecure: certificates are always checked. To trust an authority of your own, name the file of its certificate \
         in the variable SSL_CERT_FILE, or install it for the whole system"
    )]
    Insecure,
    /// Anything else behind a `#`.
    #[error("has a \"#\": in a password write it %23")]
    Fragment,
}
