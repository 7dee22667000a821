//! How full the process is: the connections of clients, and the streams among them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use tokio::sync::Semaphore;

use super::delivery::encode_gauge;

/// The connections that clients have and may have, and the same of streams.
#[derive(Debug)]
pub struct Occupancy {
    connections: AtomicUsize,
    most_connections: usize,
    /// One permit for each stream that the process may hold.
    pub(in crate::http) streams: Arc<Semaphore>,
    most_streams: usize,
}

impl Occupancy {
    /// No connection and no stream yet, and so many of them at most.
    pub fn new(most_connections: usize, most_streams: usize) -> Self {
        Occupancy {
            connections: AtomicUsize::new(0),
            most_connections,
            streams: Arc::new(Semaphore::new(most_streams)),
            most_streams,
        }
    }

    /// Counts a connection that begins.
    pub fn connection_begins(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that ends.
    pub fn connection_ends(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads the numbers when `/metrics` is read.
#[derive(Debug)]
pub(super) struct OccupancyCollector(pub(super) Arc<Occupancy>);

impl Collector for OccupancyCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Occupancy { connections, most_connections, streams, most_streams } = &*self.0;
        let gauges = [
            ("connections", "Connections that clients have", connections.load(Ordering::Relaxed)),
            ("connections_limit", "Connections that clients may have; more wait", *most_connections),
            ("streams", "Streams held in this process", most_streams - streams.available_permits()),
            ("streams_limit", "Streams that this process may hold; more are answered 503", *most_streams),
        ];
        for (name, help, value) in gauges {
            encode_gauge(&mut encoder, name, help, value as f64)?;
        }
        Ok(())
    }
}
