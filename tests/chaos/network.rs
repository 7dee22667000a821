//! A network of Redis servers that can be partitioned. Servers and origins reach the servers by wires. Each server connects from an address
//! of its own (all of 127.0.0.0/8 is this machine), by which the wires know the server of a connection.

use std::net::{IpAddr, Ipv4Addr};

use crate::engine::Engine;
use crate::support::port::Port;
use crate::support::redis::Detour;
use crate::support::redis_cluster::RedisCluster;
use crate::support::redis_sentinels::RedisSentinels;
use crate::wire::{Mode, Wire};

/// The hosts of the network, by number.
pub(crate) struct Network {
    hosts: Vec<Host>,
}

struct Host {
    /// The address from which the host connects; origins connect from 127.0.0.1.
    source: IpAddr,
    /// The wires to the host's ports.
    wires: Vec<Wire>,
}

impl Network {
    /// A network of these hosts, each with a wire to each of its ports.
    async fn start(hosts: &[&[Port]]) -> Network {
        let mut network = Network { hosts: Vec::new() };
        for (number, ports) in hosts.iter().enumerate() {
            let mut wires = Vec::new();
            for port in *ports {
                wires.push(Wire::start(port.addr()).await);
            }
            let source = IpAddr::from(Ipv4Addr::new(127, 0, 1, number as u8 + 1));
            network.hosts.push(Host { source, wires });
        }
        network
    }

    fn detours(&self) -> Vec<Detour> {
        let detour = |host: &Host| {
            let port = |wire: &Wire| wire.addr().port();
            let (first, last) = (host.wires.first(), host.wires.last());
            Detour { port: first.map_or(0, port), bus: last.map_or(0, port), source: host.source }
        };
        self.hosts.iter().map(detour).collect()
    }

    /// From now on no bytes pass between these hosts and the others, and no connection is closed. Origins reach all of them.
    pub(crate) fn part(&self, side: &[usize]) {
        for (number, host) in self.hosts.iter().enumerate() {
            let is_beyond = |other: usize| side.contains(&other) != side.contains(&number);
            let beyond = self.hosts.iter().enumerate().filter(|&(other, _)| is_beyond(other));
            let beyond: Vec<_> = beyond.map(|(_, host)| host.source).collect();
            host.wires.iter().for_each(|wire| wire.set(Mode::HangingFor(beyond.clone())));
        }
    }

    /// All bytes arrive again, also those that were under way.
    pub(crate) fn join(&self) {
        self.hosts.iter().flat_map(|host| &host.wires).for_each(|wire| wire.set(Mode::Well));
    }
}

/// A Cluster in a network; its hosts are the nodes.
pub(crate) struct PartedCluster {
    pub(crate) cluster: RedisCluster,
    pub(crate) network: Network,
}

impl PartedCluster {
    /// As [`RedisCluster::start`].
    pub(crate) async fn start(masters: usize, replicas: usize, settings: &[&str]) -> Self {
        let ports: Vec<Port> = (0..2 * masters * (1 + replicas)).map(|_| Port::reserve()).collect();
        let network = Network::start(&ports.chunks(2).collect::<Vec<_>>()).await;
        let detours = network.detours();
        let cluster = RedisCluster::start_at(ports, &detours, masters, replicas, settings).await;
        PartedCluster { cluster, network }
    }
}

impl Engine for PartedCluster {
    fn url_of_origin(&self, _: usize) -> String {
        self.cluster.url()
    }

    fn url(&self) -> String {
        self.cluster.url()
    }

    fn is_one_node(&self) -> bool {
        false
    }
}

/// A master, replicas and three Sentinels in a network; its hosts are the servers, then the Sentinels.
pub(crate) struct PartedSentinels {
    pub(crate) watched: RedisSentinels,
    pub(crate) network: Network,
    /// The wires by which the first origin asks the Sentinels.
    questions: Vec<Wire>,
}

const SENTINELS: usize = 3;

impl PartedSentinels {
    /// As [`RedisSentinels::start`].
    pub(crate) async fn start(replicas: usize, settings: &[&str]) -> Self {
        let ports: Vec<Port> = (0..1 + replicas + SENTINELS).map(|_| Port::reserve()).collect();
        let (servers, sentinels) = ports.split_at(1 + replicas);
        let hosts = servers.chunks(1).chain(sentinels.iter().map(|_| &[][..]));
        let network = Network::start(&hosts.collect::<Vec<_>>()).await;
        let mut questions = Vec::new();
        for sentinel in sentinels {
            questions.push(Wire::start(sentinel.addr()).await);
        }
        let detours = network.detours();
        let watched = RedisSentinels::start_at(ports, &detours, replicas, settings, "").await;
        PartedSentinels { watched, network, questions }
    }

    /// From now on these servers do not reach the others or the Sentinels. The first origin is on their side: it gets no answer from any Sentinel.
    /// The other origins reach all servers.
    pub(crate) fn part_with_first_origin(&self, side: &[usize]) {
        self.network.part(side);
        self.questions.iter().for_each(|wire| wire.set(Mode::Hanging));
    }

    /// Ends the partition.
    pub(crate) fn join(&self) {
        self.network.join();
        self.questions.iter().for_each(|wire| wire.set(Mode::Well));
    }
}

impl Engine for PartedSentinels {
    fn url_of_origin(&self, number: usize) -> String {
        if number > 0 {
            return self.watched.url();
        }
        let asked: Vec<_> = self.questions.iter().map(|wire| wire.addr().to_string()).collect();
        format!("redis+sentinel://{}/main", asked.join(","))
    }

    fn url(&self) -> String {
        self.watched.url()
    }
}
