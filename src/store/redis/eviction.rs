//! Whether a Redis may remove keys of this service by itself.

use redis::RedisResult;

use super::topology::Topology;

/// The policies by which servers remove keys when their memory is full, each once. A server without `maxmemory`, or with the policy `noeviction`, removes
/// none.
pub(super) async fn policies(topology: &Topology) -> RedisResult<Vec<String>> {
    let mut command = redis::cmd("INFO");
    command.arg("memory");
    let mut policies = Vec::new();
    for node in topology.nodes().await? {
        let info: String = redis::from_redis_value(node.query(&command).await?)?;
        policies.extend(evicting_policy(&info).map(str::to_owned));
    }
    policies.sort();
    policies.dedup();
    Ok(policies)
}

/// The policy that an answer to `INFO memory` names, if it removes keys.
fn evicting_policy(info: &str) -> Option<&str> {
    let of = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let policy = of("maxmemory_policy")?.trim_end();
    let is_bounded = of("maxmemory").is_some_and(|bytes| bytes.trim_end() != "0");
    (is_bounded && policy != "noeviction").then_some(policy)
}

#[cfg(test)]
mod tests {
    use super::evicting_policy;

    #[test]
    fn only_a_bounded_memory_with_another_policy_loses_keys() {
        let of = |bytes: u64, policy: &str| {
            let info = format!(
                "# Memory\r\nused_memory:1\r\nmaxmemory:{bytes}\r\nmaxmemory_human:1B\r\nmaxmemory_policy:{policy}\r\n"
            );
            evicting_policy(&info).map(str::to_owned)
        };
        assert_eq!(of(1 << 20, "allkeys-lru").as_deref(), Some("allkeys-lru"));
        assert_eq!(of(1, "volatile-ttl").as_deref(), Some("volatile-ttl"));
        assert_eq!(of(1 << 20, "noeviction"), None);
        assert_eq!(of(0, "allkeys-lru"), None);
        assert_eq!(evicting_policy("# Memory\r\n"), None);
    }
}
