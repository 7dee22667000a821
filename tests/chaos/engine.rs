//! The stores of the origins.

use crate::support::port::Port;
use crate::support::redis::RedisServer;
use crate::support::redis_cluster::RedisCluster;
use crate::support::redis_sentinels::RedisSentinels;
use crate::wire::Wire;

/// Redis, in one of its forms.
pub(crate) trait Engine {
    /// The `REDIS_URL` of the origin with this number.
    fn url_of_origin(&self, number: usize) -> String;

    /// The URL of the server itself, past the fault proxy.
    fn url(&self) -> String;

    /// Whether one node has all topics, so that one step can change several.
    fn is_one_node(&self) -> bool {
        true
    }
}

/// One server with a file, behind a wire.
pub(crate) struct OneRedis {
    pub(crate) server: RedisServer,
    /// The fault proxy between the origins and the server.
    pub(crate) wire: Wire,
    _port: Port,
}

impl OneRedis {
    pub(crate) async fn start() -> Self {
        let port = Port::reserve();
        // Redis writes each change to the file before it answers, so that a killed process loses nothing. The test does without fsync, which would
        // wait for other programs that write to this disk.
        let server = RedisServer::on_port(port.number(), &["--appendonly yes", "--appendfsync no"]);
        let wire = Wire::start(port.addr()).await;
        OneRedis { server, wire, _port: port }
    }
}

impl Engine for OneRedis {
    fn url_of_origin(&self, _: usize) -> String {
        format!("redis://{}", self.wire.addr())
    }

    fn url(&self) -> String {
        self.server.url()
    }
}

impl Engine for RedisCluster {
    fn url_of_origin(&self, _: usize) -> String {
        self.url()
    }

    fn url(&self) -> String {
        RedisCluster::url(self)
    }

    fn is_one_node(&self) -> bool {
        false
    }
}

impl Engine for RedisSentinels {
    fn url_of_origin(&self, _: usize) -> String {
        self.url()
    }

    fn url(&self) -> String {
        RedisSentinels::url(self)
    }
}
