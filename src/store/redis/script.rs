//! The Lua scripts. A script is called by its hash, or by its source if Redis does not know it yet.

use std::sync::LazyLock;

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind};

use crate::store::StoreError;

/// A script that Redis runs as one atomic step.
pub(super) struct Script {
    text: ScriptText,
    /// The text for a Cluster, if it is another one.
    in_cluster: Option<ScriptText>,
    /// Running the script twice has the same result as running it once, so it may be sent again when an answer is lost.
    repeatable: bool,
}

/// The text of a script, and the hash by which Redis knows it.
struct ScriptText {
    source: String,
    hash: String,
}

const ONCE: bool = false;
const REPEATABLE: bool = true;

/// A script that consists of these files, one after the other.
macro_rules! script {
    ($repeatable:expr, $($file:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!($file)),+), $repeatable))
    };
}

pub(super) static WRITE: LazyLock<Script> = script!(
    ONCE,
    "shared.lua",
    "direct.lua",
    "counting.lua",
    "recording.lua",
    "visiting.lua",
    "writing.lua",
    "write.lua"
);
pub(super) static HITS: LazyLock<Script> =
    script!(ONCE, "hits_new.lua", "shared.lua", "counting.lua", "visiting.lua", "writing.lua", "hits.lua");
pub(super) static ADD_PLAIN: LazyLock<Script> = script!(
    ONCE,
    "add_plain.lua",
    "shared.lua",
    "direct.lua",
    "counting.lua",
    "writing.lua",
    "add_marks.lua"
);
pub(super) static CLAIM: LazyLock<Script> =
    script!(ONCE, "shared.lua", "direct.lua", "counting.lua", "recording.lua", "claiming.lua", "claim.lua");
pub(super) static APPEND: LazyLock<Script> =
    script!(ONCE, "shared.lua", "counting.lua", "writing.lua", "append.lua");
pub(super) static CLAIM_FEED: LazyLock<Script> =
    script!(ONCE, "shared.lua", "counting.lua", "claim_feed.lua");
pub(super) static FEED: LazyLock<Script> = script!(REPEATABLE, "feed.lua");
pub(super) static MERGE: LazyLock<Script> =
    script!(ONCE, "shared.lua", "counting.lua", "writing.lua", "merge.lua");
pub(super) static CLAIM_DOCUMENTS: LazyLock<Script> = script!(
    ONCE,
    "shared.lua",
    "direct.lua",
    "counting.lua",
    "recording.lua",
    "claiming.lua",
    "claim_documents.lua"
);
pub(super) static READ_DOCUMENTS: LazyLock<Script> = script!(REPEATABLE, "read_documents.lua");
pub(super) static LIVES: LazyLock<Script> = script!(REPEATABLE, "lives.lua");
pub(super) static ACKNOWLEDGE: LazyLock<Script> =
    script!(REPEATABLE, "shared.lua", "direct.lua", "acknowledge.lua");
pub(super) static OVERDUE: LazyLock<Script> = script!(REPEATABLE, "shared.lua", "overdue.lua");
pub(super) static SHUT_SWEEP: LazyLock<Script> = script!(REPEATABLE, "shared.lua", "shut_sweep.lua");
pub(super) static READ: LazyLock<Script> = script!(REPEATABLE, "direct.lua", "read.lua");
pub(super) static OUTBOX_LEN: LazyLock<Script> = script!(REPEATABLE, "outbox_len.lua");
pub(super) static TOPIC_COUNT: LazyLock<Script> = script!(REPEATABLE, "topic_count.lua");
pub(super) static NAMES: LazyLock<Script> = script!(REPEATABLE, "names.lua");
pub(super) static ENTITY_ROWS: LazyLock<Script> = script!(REPEATABLE, "entity_rows.lua");
pub(super) static NAME_COUNT: LazyLock<Script> = script!(REPEATABLE, "name_count.lua");
pub(super) static TOP: LazyLock<Script> = script!(REPEATABLE, "direct.lua", "top.lua");
pub(super) static HISTORY: LazyLock<Script> = script!(REPEATABLE, "history.lua");
pub(super) static RESTORE_PAST: LazyLock<Script> =
    script!(REPEATABLE, "shared.lua", "direct.lua", "restore_past.lua");
pub(super) static SALT: LazyLock<Script> = script!(REPEATABLE, "shared.lua", "salt.lua");
pub(super) static UNIQUES: LazyLock<Script> = script!(REPEATABLE, "uniques.lua");
pub(super) static COUNT: LazyLock<Script> = script!(REPEATABLE, "shared.lua", "count.lua");
pub(super) static PRUNE: LazyLock<Script> = script!(REPEATABLE, "shared.lua", "direct.lua", "prune.lua");

/// The part of a script that counts topics, and the part that is in its place in a Cluster.
const COUNTING: &str = include_str!("counting.lua");
const COUNTING_LATER: &str = include_str!("counting_later.lua");

impl ScriptText {
    fn new(source: String) -> Self {
        let hash = redis::Script::new(&source).get_hash().to_owned();
        ScriptText { source, hash }
    }
}

impl Script {
    fn new(source: &'static str, repeatable: bool) -> Self {
        let in_cluster = source.contains(COUNTING).then(|| source.replace(COUNTING, COUNTING_LATER));
        let in_cluster = in_cluster.map(ScriptText::new);
        Script { text: ScriptText::new(source.to_owned()), in_cluster, repeatable }
    }

    /// Whether the script may be sent again after this failure.
    pub(super) fn may_repeat(&self, error: &RedisError) -> bool {
        self.repeatable && is_cut(error)
    }

    fn text(&self, is_one: bool) -> &ScriptText {
        self.in_cluster.as_ref().filter(|_| !is_one).unwrap_or(&self.text)
    }

    /// The call for a Redis that knows the script; `is_one` if it is no Cluster. The caller appends keys and arguments.
    pub(super) fn by_hash(&self, keys: usize, is_one: bool) -> Cmd {
        let mut command = Cmd::with_capacity(4 * keys + 8, 32 * keys + 128);
        command.arg("EVALSHA").arg(&self.text(is_one).hash).arg(keys);
        command
    }

    /// The call that also makes the script known to Redis. The caller appends keys and arguments.
    pub(super) fn by_source(&self, keys: usize, is_one: bool) -> Cmd {
        let source = &self.text(is_one).source;
        let mut command = Cmd::with_capacity(4 * keys + 8, 32 * keys + 128 + source.len());
        command.arg("EVAL").arg(source).arg(keys);
        command
    }
}

/// Whether Redis has refused a call because it does not know the script. Then Redis has executed nothing.
pub(super) fn is_unknown(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// Whether the connection broke, possibly after Redis had executed the call. A timeout is left out, since a second call would
/// only take as long again.
pub(super) fn is_cut(error: &RedisError) -> bool {
    error.is_io_error() && !error.is_timeout()
}

/// The failure of a script that changes something. If Redis refuses changes (its memory is full, it cannot write its file, it is a replica or has too
/// few of them), it has refused the first one, and so all of the script: behind a first change it refuses none for these reasons. A node of a Cluster
/// that does not have all keys, or is not ready, does not begin the script.
pub(super) fn failure(error: RedisError) -> StoreError {
    match error.code() {
        Some(
            "OOM" | "MISCONF" | "READONLY" | "NOREPLICAS" | "ASK" | "MOVED" | "TRYAGAIN" | "CLUSTERDOWN"
            | "MASTERDOWN" | "LOADING",
        ) => StoreError::refusal(error),
        _ => StoreError::new(error),
    }
}
