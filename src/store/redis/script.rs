//! The Lua scripts and how they are called: by their hash, and by their source where Redis does not know them yet.

use std::sync::LazyLock;

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind};

/// A script that Redis runs as one atomic step.
pub(super) struct Script {
    source: &'static str,
    hash: String,
}

pub(super) static ADD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("add.lua")));
pub(super) static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim.lua")));
pub(super) static ACKNOWLEDGE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("acknowledge.lua")));
pub(super) static READ: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("read.lua")));
pub(super) static OVERDUE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("overdue.lua")));
pub(super) static OUTBOX_LEN: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("outbox_len.lua")));

impl Script {
    fn new(source: &'static str) -> Self {
        Script { source, hash: redis::Script::new(source).get_hash().to_owned() }
    }

    /// The call for a Redis that has run the script before; keys and arguments are still to be appended.
    pub(super) fn by_hash(&self, keys: usize) -> Cmd {
        let mut command = Cmd::with_capacity(4 * keys + 8, 32 * keys + 128);
        command.arg("EVALSHA").arg(&self.hash).arg(keys);
        command
    }

    /// The call that also makes the script known.
    pub(super) fn by_source(&self, keys: usize) -> Cmd {
        let mut command = Cmd::with_capacity(4 * keys + 8, 32 * keys + 128 + self.source.len());
        command.arg("EVAL").arg(self.source).arg(keys);
        command
    }
}

/// Whether Redis refused a call because it does not know the script: then nothing was executed.
pub(super) fn is_unknown(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
