//! The names of the keys. The top of `mod.rs` describes them.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Cmd;

use super::script;
use crate::domain::{BUCKETS, IdempotencyKey, OUTBOX_PARTS, Topic};

/// Buckets in slots far from each other, so most likely on different nodes of a Cluster. Cluster-wide keys are in the first of
/// these buckets whose node answers.
pub(super) const SPREAD: [u16; 4] = [0, 69, 107, 60];

/// The command that shuts the sweep for `pause` if it is open, by a key in the bucket. Redis answers 1 if the sweep was open.
pub(super) fn shut_sweep(bucket: u16, pause: Duration) -> Cmd {
    let mut command = script::SHUT_SWEEP.by_source(1, true);
    command.arg(sweep(bucket)).arg(pause.as_millis().max(1) as u64);
    command
}

/// A command that would replace the value of a key that never exists. It changes nothing, but Redis refuses it where it refuses writes: if
/// its memory is full, if it is a replica or has too few of them, and if it cannot write its file.
pub(super) fn write_nothing(bucket: u16) -> Cmd {
    let mut command = redis::cmd("SET");
    command.arg([PREFIXES[usize::from(bucket)].as_str(), "never"].concat()).arg("").arg("XX");
    command
}

/// The key whose presence shuts the sweep.
fn sweep(bucket: u16) -> String {
    [PREFIXES[usize::from(bucket)].as_str(), "sweep"].concat()
}

/// The key whose value is the version of the schema.
pub(super) fn schema() -> String {
    [PREFIXES[0].as_str(), "schema"].concat()
}

/// The key whose value is the version to which all topics are complete.
pub(super) fn migrated() -> String {
    [PREFIXES[0].as_str(), "migrated"].concat()
}

/// The key that only the migrating process holds.
pub(super) fn migrating() -> String {
    [PREFIXES[0].as_str(), "migrating"].concat()
}

/// The key of the salt of the day.
pub(super) fn salt() -> String {
    [PREFIXES[0].as_str(), "salt"].concat()
}

/// The topic whose hash has this key.
pub(super) fn topic_of(key: &[u8]) -> Option<Topic> {
    let (bucket, name) = std::str::from_utf8(key).ok()?.strip_prefix("lc:{b")?.split_once("}:t:")?;
    let topic: Topic = name.parse().ok()?;
    (topic.bucket().to_string() == bucket).then_some(topic)
}

/// A pattern that matches the keys of all topics. Few other keys match it.
pub(super) const TOPICS: &str = "lc:{b*}:t:*";

/// The beginning of the keys of each bucket. They are made once, since every addition writes two keys.
static PREFIXES: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..BUCKETS).map(|bucket| format!("lc:{{b{bucket}}}:")).collect());

/// The rest of the keys of outbox parts.
const OUTBOXES: [&str; OUTBOX_PARTS as usize] = ["o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7"];

/// The rest of the keys of the parts of names. The mark and the name of a topic are in parts of the same number.
const NAMES: [&str; OUTBOX_PARTS as usize] = ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"];

/// Appends keys to commands, in one buffer that it reuses.
#[derive(Default)]
pub(super) struct KeyWriter(String);

impl KeyWriter {
    /// The hash of a topic, and the outbox part for its mark.
    pub(super) fn topic_and_outbox(&mut self, command: &mut Cmd, topic: &Topic) {
        self.topic(command, topic);
        self.outbox(command, topic.bucket(), topic.outbox_part());
    }

    /// The hash of a topic.
    pub(super) fn topic(&mut self, command: &mut Cmd, topic: &Topic) {
        self.write(command, topic.bucket(), &["t:", topic.name()]);
    }

    /// One part of the outbox of a bucket.
    pub(super) fn outbox(&mut self, command: &mut Cmd, bucket: u16, part: u16) {
        self.write(command, bucket, &[OUTBOXES[usize::from(part)]]);
    }

    /// One part of the names of the topics in a bucket.
    pub(super) fn names(&mut self, command: &mut Cmd, bucket: u16, part: u16) {
        self.write(command, bucket, &[NAMES[usize::from(part)]]);
    }

    /// The number of topics in a bucket.
    pub(super) fn count(&mut self, command: &mut Cmd, bucket: u16) {
        self.write(command, bucket, &["topics"]);
    }

    /// The history of a topic.
    pub(super) fn history(&mut self, command: &mut Cmd, topic: &Topic) {
        self.write(command, topic.bucket(), &["h:", topic.name()]);
    }

    /// The visitors of a site, and the sketch of those of the present day.
    pub(super) fn visitors(&mut self, command: &mut Cmd, site: &Topic) {
        self.write(command, site.bucket(), &["v:", site.name()]);
        self.write(command, site.bucket(), &["s:", site.name()]);
    }

    /// What is left for a while of the hash of a topic that was deleted.
    pub(super) fn rest(&mut self, command: &mut Cmd, topic: &Topic) {
        self.write(command, topic.bucket(), &["d:", topic.name()]);
    }

    /// The stream of a feed's events.
    pub(super) fn events(&mut self, command: &mut Cmd, feed: &Topic) {
        self.write(command, feed.bucket(), &["x:", feed.name()]);
    }

    /// The value of a counter in the direct form.
    pub(super) fn number(&mut self, command: &mut Cmd, counter: &Topic) {
        self.write(command, counter.bucket(), &["c:", counter.name()]);
    }

    /// The address of a page.
    pub(super) fn address(&mut self, command: &mut Cmd, page: &Topic) {
        self.write(command, page.bucket(), &["u:", page.name()]);
    }

    /// The fields of an entity.
    pub(super) fn fields(&mut self, command: &mut Cmd, entity: &Topic) {
        self.write(command, entity.bucket(), &["f:", entity.name()]);
    }

    /// The ends of the lives of the entities in a bucket.
    pub(super) fn lives(&mut self, command: &mut Cmd, bucket: u16) {
        self.write(command, bucket, &["lives"]);
    }

    /// The record of an idempotency key.
    pub(super) fn record(&mut self, command: &mut Cmd, topic: &Topic, key: &IdempotencyKey) {
        match topic.holds_number() {
            true => self.write(command, topic.bucket(), &["i:", topic.name(), ":", key.as_str()]),
            // The names of entities have colons, so the length of the name comes first.
            false => {
                let len = topic.name().len().to_string();
                self.write(command, topic.bucket(), &["i:", &len, ":", topic.name(), ":", key.as_str()]);
            }
        }
    }

    /// The set of the keys that a process has made for new visitors in one period. It belongs to no bucket, since only a store that is no Cluster
    /// has such sets.
    pub(super) fn visitor_set(&mut self, command: &mut Cmd, period: &str) {
        self.write(command, 0, &["w:", period]);
    }

    fn write(&mut self, command: &mut Cmd, bucket: u16, parts: &[&str]) {
        self.0.clear();
        self.0.push_str(&PREFIXES[usize::from(bucket)]);
        parts.iter().for_each(|part| self.0.push_str(part));
        command.arg(self.0.as_str());
    }
}

/// The Cluster slot of a bucket's keys: CRC-16/XMODEM of the hash tag, modulo 16384 (Redis Cluster specification).
pub(super) fn slot(bucket: u16) -> u16 {
    let crc = format!("b{bucket}").bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    crc % 16384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_topic_share_a_hash_tag() {
        let topic: Topic = "counter-2".parse().expect("a topic");
        let key: IdempotencyKey = "k1".parse().expect("a key");
        let (mut command, mut keys) = (Cmd::new(), KeyWriter::default());
        keys.topic_and_outbox(&mut command, &topic);
        keys.record(&mut command, &topic, &key);
        let packed = String::from_utf8(command.get_packed_command()).expect("text");
        let written: Vec<&str> = packed.split("\r\n").filter(|part| part.starts_with("lc:")).collect();
        assert_eq!(written, ["lc:{b40}:t:counter-2", "lc:{b40}:o0", "lc:{b40}:i:counter-2:k1"]);
    }

    #[test]
    fn only_the_key_of_a_topic_is_taken_for_one() {
        let name = |key: &str| topic_of(key.as_bytes()).map(|topic| topic.name().to_owned());
        assert_eq!(name("lc:{b40}:t:counter-2"), Some("counter-2".into()));
        for other in
            ["lc:{b41}:t:counter-2", "lc:{b40}:i:counter-2:k", "lc:{b40}:t:a b", "x", "lc:{b40}:i:a:}:t:b"]
        {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn slots_are_those_of_redis() {
        // Redis answers CLUSTER KEYSLOT with these numbers.
        assert_eq!([slot(0), slot(40), slot(127)], [6939, 2569, 9068]);
        assert_eq!(SPREAD.map(slot), [6939, 15682, 1294, 11371]);
    }
}
