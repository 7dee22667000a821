//! A master, its replicas and the Sentinels that watch them, on ports of 127.0.0.1.

use std::time::Duration;

use super::port::Port;
use super::redis::{Detour, FOLLOWER, RedisServer, part_with_replicas, reached, reached_within};

/// Servers and their Sentinels. Dropping this value ends them.
pub struct RedisSentinels {
    /// The servers; at the start the first is the master.
    pub servers: Vec<RedisServer>,
    pub sentinels: Vec<RedisServer>,
    /// The port by which the others know each server.
    known: Vec<u16>,
    _ports: Vec<Port>,
}

/// The time for which a Sentinel does nothing after it was held up for two seconds, as it then distrusts its clock (TILT).
const PATIENCE: Duration = Duration::from_secs(75);

/// The name that the Sentinels know the master by.
const NAME: &str = "main";

impl RedisSentinels {
    /// A master, this number of replicas and this number of Sentinels, a majority of which decides. `settings` are those of every
    /// server, `more` is added to every Sentinel's configuration. Ready when every Sentinel knows all servers and Sentinels.
    pub async fn start(replicas: usize, sentinels: usize, settings: &[&str], more: &str) -> Self {
        let ports = (0..1 + replicas + sentinels).map(|_| Port::reserve()).collect();
        Self::start_at(ports, &[], replicas, settings, more).await
    }

    /// The same on these ports, the Sentinels on what the servers leave; where there are detours, one for each port, of
    /// which Sentinels, which are reached directly, use the source only.
    pub async fn start_at(
        ports: Vec<Port>,
        detours: &[Detour],
        replicas: usize,
        settings: &[&str],
        more: &str,
    ) -> Self {
        let (of_servers, of_sentinels) = ports.split_at(1 + replicas);
        let known = |(index, port): (usize, &Port)| detours.get(index).map_or(port.number(), |it| it.port);
        let known: Vec<u16> = of_servers.iter().enumerate().map(known).collect();
        let master = known[0];
        let servers = of_servers.iter().enumerate().map(|(index, port)| {
            let follow = (index > 0).then(|| format!("--replicaof 127.0.0.1 {master}"));
            let detour = detours.get(index).map(announced).unwrap_or_default();
            let own = detour.iter().chain(&follow).map(String::as_str).collect::<Vec<_>>();
            RedisServer::on_port(port.number(), &[&FOLLOWER[..], settings, &own].concat())
        });
        let servers: Vec<_> = servers.collect();
        let sentinels = of_sentinels.len();
        reached("the replicas to follow", || {
            servers[0].cli(&["INFO", "replication"]).matches("state=online").count() == replicas
        })
        .await;
        let configuration = format!(
            "sentinel monitor {NAME} 127.0.0.1 {master} {}\n\
             sentinel down-after-milliseconds {NAME} 4000\n\
             sentinel failover-timeout {NAME} 5000\n{more}",
            sentinels / 2 + 1
        );
        let sentinels = of_sentinels.iter().enumerate().map(|(index, port)| {
            let detour = detours.get(1 + replicas + index).map(sources).unwrap_or_default();
            RedisServer::sentinel(port.number(), &(detour + &configuration))
        });
        let sentinels: Vec<_> = sentinels.collect();
        let started = RedisSentinels { servers, sentinels, known, _ports: ports };
        let counts = [("num-slaves", replicas), ("num-other-sentinels", started.sentinels.len() - 1)];
        let knows_all = |sentinel: &RedisServer| {
            let master = sentinel.cli(&["SENTINEL", "MASTER", NAME]);
            counts.iter().all(|(field, count)| master.contains(&format!("{field}\n{count}\n")))
        };
        let all_know = || started.sentinels.iter().all(knows_all);
        reached("every Sentinel to know all servers", all_know).await;
        started
    }

    /// The URL of the Sentinels, as in `REDIS_URL`.
    pub fn url(&self) -> String {
        let sentinel = |sentinel: &RedisServer| format!("127.0.0.1:{}", sentinel.port());
        let sentinels: Vec<_> = self.sentinels.iter().map(sentinel).collect();
        format!("redis+sentinel://{}/{NAME}", sentinels.join(","))
    }

    /// The index in `servers` of the server that all answering Sentinels call the master.
    pub fn master(&self) -> Option<usize> {
        let asked = |sentinel: &RedisServer| sentinel.try_cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
        let mut named: Vec<String> = self.sentinels.iter().filter_map(asked).collect();
        // An origin may ask any Sentinel: while their answers differ, the origin may be sent back to the old master.
        named.dedup();
        let [address] = named.as_slice() else { return None };
        let port: u16 = address.lines().last()?.parse().ok()?;
        self.known.iter().position(|&known| known == port)
    }

    /// From now on the replicas do not get the changes of the first master; clients notice nothing.
    pub fn part_with_replicas(&self) {
        part_with_replicas(&self.servers[0]);
    }

    /// Sends `SENTINEL FAILOVER`, again if the Sentinels have given up a fail-over. Returns when another server answers that it is the
    /// master.
    pub async fn fail_over(&self) {
        let before = self.master().expect("a master");
        self.until("another master", || {
            if self.master() == Some(before) {
                // A Sentinel refuses this during a fail-over.
                self.sentinels[0].try_cli(&["SENTINEL", "FAILOVER", NAME]);
            }
            self.is_master_other_than(Some(before))
        })
        .await;
    }

    /// Waits until another server than this one answers that it is the master.
    pub async fn until_master_other_than(&self, before: Option<usize>) {
        self.until("another master", || self.is_master_other_than(before)).await;
    }

    fn is_master_other_than(&self, before: Option<usize>) -> bool {
        self.master().is_some_and(|master| {
            let role = || self.servers[master].try_cli(&["ROLE"]).unwrap_or_default();
            Some(master) != before && role().starts_with("master")
        })
    }

    /// Waits until the present master has this number of replicas that follow it.
    pub async fn until_in_step(&self, replicas: usize) {
        self.until("the master to have its replicas", || {
            let info = self.master().and_then(|m| self.servers[m].try_cli(&["INFO", "replication"]));
            info.is_some_and(|info| info.matches("state=online").count() == replicas)
        })
        .await;
    }

    async fn until(&self, what: &str, is_so: impl FnMut() -> bool) {
        reached_within(PATIENCE, || format!("{what}; {}", self.state()), is_so).await;
    }

    /// The answers of every server and Sentinel about themselves, for the message of a wait that has failed.
    fn state(&self) -> String {
        let role = |server: &RedisServer| format!("{}: {:?}", server.port(), server.try_cli(&["ROLE"]));
        let view = |sentinel: &RedisServer| {
            format!(
                "{:?} {:?}",
                sentinel.try_cli(&["INFO", "sentinel"]),
                sentinel.try_cli(&["SENTINEL", "REPLICAS", NAME])
            )
        };
        let lines = self.servers.iter().map(role).chain(self.sentinels.iter().map(view));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// The settings with which a server names the relay in front of it as its own port.
fn announced(detour: &Detour) -> Vec<String> {
    vec![
        "--replica-announce-ip 127.0.0.1".to_owned(),
        format!("--replica-announce-port {}", detour.port),
        format!("--bind-source-addr {}", detour.source),
    ]
}

/// The address from which a Sentinel connects, and the address at which others reach the Sentinel directly.
fn sources(detour: &Detour) -> String {
    format!("bind-source-addr {}\nsentinel announce-ip 127.0.0.1\n", detour.source)
}
