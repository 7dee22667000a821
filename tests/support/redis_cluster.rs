//! A real Redis Cluster on ports of 127.0.0.1.

use std::process::{Command, Stdio};

use livecounter::domain::Topic;

use super::port::Port;
use super::redis::{Detour, FOLLOWER, RedisServer, part_with_replicas, reached};

/// Masters and their replicas. Dropping this value ends them.
pub struct RedisCluster {
    /// First the masters, in the order of their slots; behind them the replicas, in the order of their masters. This
    /// is the order at the start: a node that is killed may come back as the replica of another.
    pub nodes: Vec<RedisServer>,
    /// The ports by which the other nodes know each node and its bus.
    known: Vec<(u16, u16)>,
    _ports: Vec<Port>,
}

impl RedisCluster {
    /// This number of masters with this number of replicas each; all nodes have the `settings`. Returns when all nodes agree.
    pub async fn start(masters: usize, replicas: usize, settings: &[&str]) -> Self {
        let count = masters * (1 + replicas);
        let ports = (0..2 * count).map(|_| Port::reserve()).collect();
        Self::start_at(ports, &[], masters, replicas, settings).await
    }

    /// The same on these ports, two for each node, the second for its bus; where there are detours, one for each node.
    pub async fn start_at(
        ports: Vec<Port>,
        detours: &[Detour],
        masters: usize,
        replicas: usize,
        settings: &[&str],
    ) -> Self {
        let start = |(index, ports): (usize, &[Port])| {
            let detour = detours.get(index).map(announced).unwrap_or_default();
            let settings: Vec<_> =
                settings.iter().copied().chain(detour.iter().map(String::as_str)).collect();
            node(&ports[0], &ports[1], &settings)
        };
        let nodes = ports.chunks(2).enumerate().map(start).collect();
        let known = ports.chunks(2).enumerate().map(|(index, ports)| match detours.get(index) {
            Some(detour) => (detour.port, detour.bus),
            None => (ports[0].number(), ports[1].number()),
        });
        let cluster = RedisCluster { nodes, known: known.collect(), _ports: ports };
        for (index, master) in cluster.nodes[..masters].iter().enumerate() {
            let (first, end) = (16384 * index / masters, 16384 * (index + 1) / masters);
            master.cli(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(end - 1).to_string()]);
        }
        for (port, bus) in &cluster.known[1..] {
            let (port, bus) = (port.to_string(), bus.to_string());
            cluster.nodes[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        cluster.until_agreed().await;
        for (index, replica) in cluster.nodes[masters..].iter().enumerate() {
            replica.cli(&[
                "CLUSTER",
                "REPLICATE",
                &cluster.nodes[index / replicas].cli(&["CLUSTER", "MYID"]),
            ]);
        }
        cluster.until_in_step(replicas).await;
        cluster
    }

    /// The URL of the Cluster, as in `REDIS_URL`; it names two of the nodes.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", self.known[0].0, self.known[1].0)
    }

    /// Waits until every node knows all others and finds the Cluster in order.
    pub async fn until_agreed(&self) {
        let known = format!("cluster_known_nodes:{}\r", self.nodes.len());
        let agrees = |node: &RedisServer| {
            let info = node.try_cli(&["CLUSTER", "INFO"]).unwrap_or_default() + "\r";
            // The state of a cluster without full coverage is ok before all slots are known.
            ["cluster_state:ok", "cluster_slots_ok:16384\r", &known].iter().all(|part| info.contains(part))
        };
        reached("the cluster to agree", || self.nodes.iter().all(agrees)).await;
    }

    /// Waits until every master has this number of replicas that follow it.
    pub async fn until_in_step(&self, replicas: usize) {
        self.until_agreed().await;
        let online = |master: &RedisServer| {
            let info = master.try_cli(&["INFO", "replication"]).unwrap_or_default();
            info.matches("state=online").count() == replicas
        };
        reached("every master to have its replicas", || {
            self.nodes.iter().filter(|node| is_master(node)).all(online)
        })
        .await;
    }

    /// The slot of the topic's keys.
    pub fn slot(&self, topic: &Topic) -> u16 {
        let running = self
            .nodes
            .iter()
            .find_map(|node| node.try_cli(&["CLUSTER", "KEYSLOT", &format!("{{b{}}}", topic.bucket())]));
        running.expect("a running node").parse().expect("a slot")
    }

    /// The node, by its place in `nodes`, that says of itself that it is the master of the slot; `None` while none does.
    pub fn owner(&self, slot: u16) -> Option<usize> {
        let has_it = |node: &RedisServer| own_line(node).is_some_and(|line| owns(&line, slot));
        self.nodes.iter().position(has_it)
    }

    /// Whether the node, by its place in `nodes`, says of itself that it is the master of the slot.
    pub fn owns(&self, node: usize, slot: u16) -> bool {
        own_line(&self.nodes[node]).is_some_and(|line| owns(&line, slot))
    }

    /// How many of its master's slots come before this one.
    pub fn slots_before(&self, slot: u16) -> usize {
        let owner = self.owner(slot).expect("a master");
        let line = own_line(&self.nodes[owner]).expect("a running node");
        (0..slot).filter(|&slot| owns(&line, slot)).count()
    }

    /// Moves the slot and all that its master has before it to another node by `redis-cli --cluster reshard`.
    pub async fn reshard(&self, slot: u16, to: usize) {
        let from = &self.nodes[self.owner(slot).expect("a master")];
        let count = (self.slots_before(slot) + 1).to_string();
        let (entry, ids) = (format!("127.0.0.1:{}", self.known[0].0), [from, &self.nodes[to]]);
        let [from, to] = ids.map(|node| node.cli(&["CLUSTER", "MYID"]));
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", "reshard", &entry, "--cluster-from", &from, "--cluster-to", &to]);
        command.args(["--cluster-slots", &count, "--cluster-yes"]).stdin(Stdio::null());
        // The command takes seconds, and this thread may have other tasks to run meanwhile.
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("its end");
        let output = output.expect("redis-cli");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }

    /// The nodes, by their places in `nodes`, that say of themselves that they are masters.
    pub fn masters(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&node| is_master(&self.nodes[node])).collect()
    }

    /// The replica of a node, by its place in `nodes`.
    pub fn replica_of(&self, master: usize) -> usize {
        let id = self.nodes[master].cli(&["CLUSTER", "MYID"]);
        let follows = |node: &RedisServer| {
            own_line(node).is_some_and(|line| line.split(' ').nth(3) == Some(id.as_str()))
        };
        self.nodes.iter().position(follows).expect("a replica")
    }

    /// Makes the replica of the slot's master the master, by agreement of both. Returns when that is done.
    pub async fn hand_over(&self, slot: u16) {
        let master = self.owner(slot).expect("a master");
        let replica = self.replica_of(master);
        self.nodes[replica].cli(&["CLUSTER", "FAILOVER"]);
        reached("the replica to take over", || {
            self.owner(slot) == Some(replica) && !is_master(&self.nodes[master])
        })
        .await;
    }

    /// From now on the replicas of a node do not get its changes; its clients notice nothing.
    pub fn part_with_replicas(&self, master: usize) {
        part_with_replicas(&self.nodes[master]);
    }

    /// Moves a slot to another node, as `redis-cli --cluster reshard` does it, calling `between` when some keys may be here and some there.
    /// The keys are moved in so many steps, however many there are: a store refuses after two seconds what it cannot write before the move is over.
    pub async fn move_slot(&self, number: u16, to: usize, steps: usize, mut between: impl AsyncFnMut()) {
        let (slot, from) = (number.to_string(), self.owner(number).expect("an owner"));
        let keys: usize = self.nodes[from].ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot]);
        let at_once = keys.div_ceil(steps).max(1).to_string();
        self.begin_move(number, from, to);
        loop {
            between().await;
            let keys: Vec<String> = self.nodes[from].ask(&["CLUSTER", "GETKEYSINSLOT", &slot, &at_once]);
            if keys.is_empty() {
                break;
            }
            self.move_keys(from, to, &keys.iter().map(String::as_str).collect::<Vec<_>>());
        }
        self.end_move(number, from, to);
    }

    /// Waits until every node knows that this one has the slot. Until then, a node that dies may take the slot with it, as its replica
    /// takes over the slots that it knows of.
    pub async fn until_known(&self, slot: u16, owner: usize) {
        let id = self.nodes[owner].cli(&["CLUSTER", "MYID"]);
        let knows = |node: &RedisServer| {
            let nodes = node.try_cli(&["CLUSTER", "NODES"]).unwrap_or_default();
            nodes.lines().any(|line| line.starts_with(&id) && lists(line, slot))
        };
        reached("all nodes to know who has the slot", || self.nodes.iter().all(knows)).await;
    }

    /// Opens the move of a slot: its keys may be on either node from now on.
    pub fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let (slot, from, to) = (slot.to_string(), &self.nodes[from], &self.nodes[to]);
        let [source, target] = [from, to].map(|node| node.ask::<String>(&["CLUSTER", "MYID"]));
        to.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]);
        from.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]);
    }

    /// Moves some keys of a slot; returns the answer of Redis.
    pub fn move_keys(&self, from: usize, to: usize, keys: &[&str]) -> String {
        let port = self.known[to].0.to_string();
        let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "1000", "KEYS"];
        self.nodes[from].ask(&[&migrate[..], keys].concat())
    }

    /// Ends the move of a slot all of whose keys have moved.
    pub fn end_move(&self, slot: u16, from: usize, to: usize) {
        let target: String = self.nodes[to].ask(&["CLUSTER", "MYID"]);
        for node in [to, from] {
            self.nodes[node].ask::<()>(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &target]);
        }
    }
}

/// The settings with which a node names the relays in front of it as its own ports.
fn announced(detour: &Detour) -> Vec<String> {
    vec![
        "--cluster-announce-ip 127.0.0.1".to_owned(),
        format!("--cluster-announce-port {}", detour.port),
        format!("--cluster-announce-bus-port {}", detour.bus),
        format!("--bind-source-addr {}", detour.source),
    ]
}

fn node(port: &Port, bus: &Port, settings: &[&str]) -> RedisServer {
    let bus = format!("--cluster-port {}", bus.number());
    let tls = if settings.concat().contains("tls-cert-file") { "yes" } else { "no" };
    let tls = format!("--tls-cluster {tls}");
    let own = [
        "--cluster-enabled yes",
        &bus,
        &tls,
        "--cluster-node-timeout 1000",
        "--cluster-require-full-coverage no",
    ];
    RedisServer::on_port(port.number(), &[&own[..], &FOLLOWER, settings].concat())
}

fn is_master(node: &RedisServer) -> bool {
    own_line(node).is_some_and(|line| line.contains("myself,master"))
}

/// The line of a node about itself: `id address flags master ping pong epoch link slots…`; `None` if the node is not running.
fn own_line(node: &RedisServer) -> Option<String> {
    let nodes = node.try_cli(&["CLUSTER", "NODES"])?;
    nodes.lines().find(|line| line.contains("myself")).map(str::to_owned)
}

fn owns(line: &str, slot: u16) -> bool {
    line.contains("myself,master") && lists(line, slot)
}

/// Whether a line of CLUSTER NODES, whichever node it is of, has the slot.
fn lists(line: &str, slot: u16) -> bool {
    let mut slots = line.split(' ').skip(8).filter(|range| !range.starts_with('['));
    slots.any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.parse::<u16>().expect("a slot");
        (number(first)..=number(last)).contains(&slot)
    })
}
