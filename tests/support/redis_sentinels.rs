//! A master, its replicas and the Sentinels that watch them, on ports of 127.0.0.1.

use super::port::Port;
use super::redis::{FOLLOWER, RedisServer, part_with_replicas, reached};

/// Ends with this value.
pub struct RedisSentinels {
    /// The master first; that is how they begin.
    pub servers: Vec<RedisServer>,
    pub sentinels: Vec<RedisServer>,
    _ports: Vec<Port>,
}

/// The name that the Sentinels know the master by.
const NAME: &str = "main";

impl RedisSentinels {
    /// A master, so many replicas and so many Sentinels; a majority of them decides. `settings` are those of every
    /// server, `more` is added to every Sentinel's configuration. Ready when every Sentinel knows everybody.
    pub async fn start(replicas: usize, sentinels: usize, settings: &[&str], more: &str) -> Self {
        let ports: Vec<Port> = (0..1 + replicas + sentinels).map(|_| Port::reserve()).collect();
        let (of_servers, of_sentinels) = ports.split_at(1 + replicas);
        let master = of_servers[0].number();
        let follow = format!("--replicaof 127.0.0.1 {master}");
        let servers = of_servers.iter().enumerate().map(|(index, port)| {
            let own = if index == 0 { &[][..] } else { &[follow.as_str()] };
            RedisServer::on_port(port.number(), &[&FOLLOWER[..], settings, own].concat())
        });
        let servers: Vec<_> = servers.collect();
        reached("the replicas to follow", || {
            servers[0].cli(&["INFO", "replication"]).matches("state=online").count() == replicas
        })
        .await;
        let configuration = format!(
            "sentinel monitor {NAME} 127.0.0.1 {master} {}\n\
             sentinel down-after-milliseconds {NAME} 1000\n\
             sentinel failover-timeout {NAME} 5000\n{more}",
            sentinels / 2 + 1
        );
        let start = |port: &Port| RedisServer::sentinel(port.number(), &configuration);
        let sentinels: Vec<_> = of_sentinels.iter().map(start).collect();
        let started = RedisSentinels { servers, sentinels, _ports: ports };
        let counts = [("num-slaves", replicas), ("num-other-sentinels", started.sentinels.len() - 1)];
        reached("every Sentinel to know everybody", || {
            started.sentinels.iter().all(|sentinel| {
                let master = sentinel.cli(&["SENTINEL", "MASTER", NAME]);
                counts.iter().all(|(field, count)| master.contains(&format!("{field}\n{count}\n")))
            })
        })
        .await;
        started
    }

    /// What `REDIS_URL` would say.
    pub fn url(&self) -> String {
        let sentinel = |sentinel: &RedisServer| format!("127.0.0.1:{}", sentinel.port());
        let sentinels: Vec<_> = self.sentinels.iter().map(sentinel).collect();
        format!("redis+sentinel://{}/{NAME}", sentinels.join(","))
    }

    /// The server, by its place in `servers`, that the first Sentinel calls the master.
    pub fn master(&self) -> Option<usize> {
        let address = self.sentinels[0].try_cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?;
        let port: u16 = address.lines().last()?.parse().ok()?;
        self.servers.iter().position(|server| server.port() == port)
    }

    /// From now on the replicas do not get what the first master is written; clients notice nothing.
    pub fn part_with_replicas(&self) {
        part_with_replicas(&self.servers[0]);
    }

    /// `SENTINEL FAILOVER`, once more where the Sentinels have given one up; returns when another server is the master and
    /// says so.
    pub async fn fail_over(&self) {
        let before = self.master().expect("a master");
        reached("another master", || {
            if self.master() == Some(before) {
                // Refused while one is under way.
                self.sentinels[0].try_cli(&["SENTINEL", "FAILOVER", NAME]);
            }
            self.is_master_other_than(Some(before))
        })
        .await;
    }

    /// Waits until another server than this one is the master and says so.
    pub async fn until_master_other_than(&self, before: Option<usize>) {
        reached("another master", || self.is_master_other_than(before)).await;
    }

    fn is_master_other_than(&self, before: Option<usize>) -> bool {
        self.master().is_some_and(|master| {
            let role = || self.servers[master].try_cli(&["ROLE"]).unwrap_or_default();
            Some(master) != before && role().starts_with("master")
        })
    }

    /// Waits until the present master has so many replicas that follow it.
    pub async fn until_in_step(&self, replicas: usize) {
        reached("the master to have its replicas", || {
            let info = self.master().and_then(|m| self.servers[m].try_cli(&["INFO", "replication"]));
            info.is_some_and(|info| info.matches("state=online").count() == replicas)
        })
        .await;
    }
}
