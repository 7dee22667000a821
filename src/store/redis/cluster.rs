//! Which node of a Redis Cluster has which bucket, and one [`RedisConnection`] to each node.
//!
//! While a node is lost, only the calls to its own buckets fail. A call is repeated only if a node has refused to execute it
//! (`MOVED`, `ASK`, `TRYAGAIN` and similar answers).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value,
};

use super::call::Call;
use super::connection::{RedisConnection, Server};
use super::keys;
use crate::domain::BUCKETS;

/// The shortest time between two requests for the slot map.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

/// How long a refused call waits before it tries again.
const REFUSAL_PAUSE: Duration = Duration::from_millis(25);

/// See the top of the module.
pub(super) struct Cluster {
    seeds: Vec<ConnectionInfo>,
    timeout: Duration,
    nodes: Mutex<ClusterNodes>,
    /// Held while a caller asks for the slot map. It keeps the time and the result of the last request.
    refreshing: tokio::sync::Mutex<Option<(Instant, RedisResult<()>)>>,
}

type NodeAddress = (String, u16);

struct ClusterNodes {
    connections: HashMap<NodeAddress, Arc<RedisConnection>>,
    owners: Vec<BucketOwner>,
}

#[derive(Clone, Default)]
struct BucketOwner {
    connection: Option<Arc<RedisConnection>>,
    /// A call to the owner has failed, so another node may own the bucket now.
    suspect: bool,
}

impl ClusterNodes {
    /// Whether the last call to each bucket of this connection's node has succeeded.
    fn is_healthy(&self, connection: &Arc<RedisConnection>) -> bool {
        let is_it = |owner: &&BucketOwner| {
            owner.connection.as_ref().is_some_and(|owned| Arc::ptr_eq(owned, connection))
        };
        self.owners.iter().filter(is_it).all(|owner| !owner.suspect)
    }
}

impl Cluster {
    /// The Cluster of these `seeds`, of which at least one must answer. They share login and TLS settings.
    pub(super) fn new(seeds: Vec<ConnectionInfo>, timeout: Duration) -> Self {
        let owners = vec![BucketOwner::default(); usize::from(BUCKETS)];
        Cluster {
            seeds,
            timeout,
            nodes: Mutex::new(ClusterNodes { connections: HashMap::new(), owners }),
            refreshing: tokio::sync::Mutex::new(None),
        }
    }

    /// Sends a command, all of whose keys are in the bucket, to the bucket's owner.
    pub(super) async fn send(&self, bucket: u16, mut call: Call<'_>) -> RedisResult<Value> {
        let deadline = Instant::now() + self.timeout;
        let mut connection = self.owner(bucket).await?;
        loop {
            let answer = connection.send(call).await;
            let Err(error) = answer else { return answer };
            let ErrorKind::Server(kind) = error.kind() else {
                self.suspect(bucket);
                return Err(error);
            };
            if Instant::now() > deadline {
                return Err(error);
            }
            call.asking = kind == ServerErrorKind::Ask;
            connection = match kind {
                ServerErrorKind::Ask => self.redirected(&error)?,
                ServerErrorKind::Moved => self.moved(bucket, &error)?,
                kind if is_passing(kind) => {
                    tokio::time::sleep(REFUSAL_PAUSE).await;
                    self.suspect(bucket);
                    self.owner(bucket).await?
                }
                _ => return Err(error),
            };
        }
    }

    /// All nodes that own buckets. It is an error if a bucket has no owner.
    pub(super) async fn masters(&self) -> RedisResult<Vec<Arc<RedisConnection>>> {
        self.refresh().await?;
        let mut masters: Vec<Arc<RedisConnection>> = Vec::new();
        for bucket in 0..BUCKETS {
            let owner = self.owner(bucket).await?;
            if !masters.iter().any(|known| Arc::ptr_eq(known, &owner)) {
                masters.push(owner);
            }
        }
        Ok(masters)
    }

    /// Notes that another node may own the bucket now.
    fn suspect(&self, bucket: u16) {
        self.lock().owners[usize::from(bucket)].suspect = true;
    }

    /// The new owner of the bucket, as a `MOVED` names it.
    fn moved(&self, bucket: u16, error: &RedisError) -> RedisResult<Arc<RedisConnection>> {
        let connection = self.redirected(error)?;
        self.lock().owners[usize::from(bucket)] =
            BucketOwner { connection: Some(Arc::clone(&connection)), suspect: false };
        Ok(connection)
    }

    async fn owner(&self, bucket: u16) -> RedisResult<Arc<RedisConnection>> {
        let owner = self.lock().owners[usize::from(bucket)].clone();
        match owner.connection {
            Some(connection) if !owner.suspect => Ok(connection),
            known => {
                let failed = self.refresh().await.err();
                let found = self.lock().owners[usize::from(bucket)].connection.clone();
                found.or(known).ok_or_else(|| {
                    failed.unwrap_or_else(|| {
                        RedisError::from((ErrorKind::ClusterConnectionNotFound, "slot not served"))
                    })
                })
            }
        }
    }

    async fn refresh(&self) -> RedisResult<()> {
        let mut last = self.refreshing.lock().await;
        if let Some((_, result)) = last.as_ref().filter(|(at, _)| at.elapsed() < REFRESH_PAUSE) {
            return result.clone();
        }
        let result = self.ask_for_slots().await;
        *last = Some((Instant::now(), result.clone()));
        result
    }

    /// Asks one node after the other for the slot map, until one answers.
    async fn ask_for_slots(&self) -> RedisResult<()> {
        let mut failure =
            RedisError::from((ErrorKind::ClusterConnectionNotFound, "no node of the Cluster answers"));
        let mut question = redis::cmd("CLUSTER");
        question.arg("SLOTS");
        for address in self.known() {
            match self.connection(&address)?.query(&question).await {
                Ok(answer) => return self.learn(&answer, &address.0),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The addresses to ask: first the nodes in use without a failure, then those with one, then the seeds.
    fn known(&self) -> Vec<NodeAddress> {
        let nodes = self.lock();
        let (mut known, rest): (Vec<_>, Vec<_>) =
            nodes.connections.iter().partition(|(_, connection)| nodes.is_healthy(connection));
        known.extend(rest);
        let in_use = known.into_iter().map(|(address, _)| address.clone());
        in_use.chain(self.seeds.iter().filter_map(|seed| address(seed.addr()))).collect()
    }

    /// Notes the owners that an answer to `CLUSTER SLOTS` names. It has for each range: first slot, last slot, master, replicas.
    fn learn(&self, answer: &Value, asked_host: &str) -> RedisResult<()> {
        let mut ranges = Vec::new();
        for range in as_array(answer)? {
            let [Value::Int(first), Value::Int(last), master, ..] = as_array(range)? else {
                return Err(malformed());
            };
            let [host, Value::Int(port), ..] = as_array(master)? else { return Err(malformed()) };
            let host = match host {
                Value::BulkString(host) if !matches!(&host[..], b"" | b"?") => {
                    String::from_utf8(host.clone()).map_err(|_| malformed())?
                }
                // The node does not know its own name. It is reachable by the name that was asked.
                _ => asked_host.to_owned(),
            };
            let port = u16::try_from(*port).map_err(|_| malformed())?;
            ranges.push((*first..=*last, self.connection(&(host, port))?));
        }
        let mut nodes = self.lock();
        for bucket in 0..BUCKETS {
            let slot = i64::from(keys::slot(bucket));
            let owner = ranges.iter().find(|(range, _)| range.contains(&slot));
            nodes.owners[usize::from(bucket)] = BucketOwner {
                connection: owner.map(|(_, connection)| Arc::clone(connection)),
                suspect: false,
            };
        }
        nodes
            .connections
            .retain(|_, connection| ranges.iter().any(|(_, owner)| Arc::ptr_eq(owner, connection)));
        Ok(())
    }

    /// The node that a `MOVED` or an `ASK` names.
    fn redirected(&self, error: &RedisError) -> RedisResult<Arc<RedisConnection>> {
        let (node, _) = error.redirect_node().ok_or_else(malformed)?;
        let (host, port) = node.rsplit_once(':').ok_or_else(malformed)?;
        self.connection(&(host.to_owned(), port.parse().map_err(|_| malformed())?))
    }

    fn connection(&self, address: &NodeAddress) -> RedisResult<Arc<RedisConnection>> {
        let mut nodes = self.lock();
        if let Some(connection) = nodes.connections.get(address) {
            return Ok(Arc::clone(connection));
        }
        let seed = self.seeds.first().ok_or_else(malformed)?;
        let (host, port) = address.clone();
        let addr = match seed.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        let client = Client::open(seed.clone().set_addr(addr))?;
        let connection = Arc::new(RedisConnection::new(Server::Fixed(Box::new(client)), self.timeout));
        nodes.connections.insert(address.clone(), Arc::clone(&connection));
        Ok(connection)
    }

    fn lock(&self) -> MutexGuard<'_, ClusterNodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a refusal of this kind ends by itself, since a slot is being moved or its master is being replaced.
fn is_passing(kind: ServerErrorKind) -> bool {
    matches!(
        kind,
        ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::BusyLoading
            | ServerErrorKind::ReadOnly
    )
}

fn address(addr: &ConnectionAddr) -> Option<NodeAddress> {
    match addr {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Some((host.clone(), *port))
        }
        _ => None,
    }
}

fn as_array(value: &Value) -> RedisResult<&[Value]> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(malformed()),
    }
}

fn malformed() -> RedisError {
    RedisError::from((ErrorKind::Parse, "the Cluster's answer is malformed"))
}
