//! Carries items to every endpoint. Endpoints do not talk to each other, so each gets everything, in a task of its own:
//! one that is down delays no other.

mod endpoint_publisher;
mod post;
mod queue;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::grip::{Endpoint, Item};
use endpoint_publisher::EndpointPublisher;
use post::Poster;

/// Publishes to a fixed set of endpoints. Dropping it ends its tasks and forgets what is pending.
///
/// Requests to an endpoint go one after the other, so the items of a channel arrive in the order of the calls. What
/// comes in meanwhile is sent together. A failed request is repeated until it succeeds: a proxy drops an item it had.
pub struct Publisher {
    publishers: Vec<Arc<EndpointPublisher>>,
    tasks: Vec<AbortHandle>,
    give_up: Duration,
}

/// How a [`Publisher`] works.
#[derive(Clone, Debug)]
pub struct PublisherOptions {
    /// While an endpoint is busy or down, keep only the newest item of each channel for it. Without, it gets every one.
    pub merge: bool,
    /// How long [`Publisher::publish`] waits for every endpoint. What is pending then is still delivered if possible.
    pub give_up: Duration,
    /// How many items wait for one endpoint at most; then the oldest is let go.
    pub max_pending: usize,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        PublisherOptions { merge: true, give_up: Duration::from_secs(4), max_pending: 50_000 }
    }
}

/// The client for an endpoint cannot be made: a machine without certificates, for instance.
#[derive(Debug, thiserror::Error)]
#[error("cannot publish to {endpoint}")]
pub struct PublisherError {
    /// The endpoint's name.
    pub endpoint: String,
    /// What is wrong.
    pub source: reqwest::Error,
}

/// Not every endpoint has accepted every item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishError {
    /// Item (its index in the call), endpoint (its name), and why.
    pub refusals: Vec<(usize, String, Refusal)>,
}

/// Why an endpoint has not accepted an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not within the time. It may still be delivered.
    #[error("not in time")]
    TimedOut,
    /// The endpoint answered this status to the item alone, so it will never take it.
    #[error("answered {0}")]
    Status(u16),
    /// Too many newer items were waiting for the endpoint.
    #[error("too many are waiting")]
    Overflow,
    /// The publisher was dropped.
    #[error("publishing has ended")]
    Stopped,
}

/// How one endpoint is doing; a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointState {
    /// The endpoint's name: host, port and path.
    pub endpoint: String,
    /// Whether the last request went through; also before the first.
    pub up: bool,
    /// Items waiting or under way.
    pub pending: usize,
    /// Items the endpoint has accepted.
    pub published: u64,
    /// Items it will never get: refused by it, or let go.
    pub refused: u64,
    /// Requests made.
    pub requests: u64,
    /// Requests that did not succeed.
    pub failures: u64,
}

impl Publisher {
    /// A publisher to these endpoints, its tasks running in the current Tokio runtime, which must outlive it.
    pub fn new(endpoints: &[Endpoint], options: &PublisherOptions) -> Result<Self, PublisherError> {
        let with_poster = |endpoint: &Endpoint| match Poster::new(endpoint) {
            Ok(poster) => Ok((Arc::new(EndpointPublisher::new(endpoint, options)), poster)),
            Err(source) => Err(PublisherError { endpoint: endpoint.name().to_owned(), source }),
        };
        let publishers: Vec<_> = endpoints.iter().map(with_poster).collect::<Result<_, _>>()?;
        let spawn = |(publisher, poster): (Arc<EndpointPublisher>, Poster)| {
            let task = tokio::spawn({
                let publisher = publisher.clone();
                async move { publisher.run(poster).await }
            });
            (publisher, task.abort_handle())
        };
        let (publishers, tasks) = publishers.into_iter().map(spawn).unzip();
        Ok(Publisher { publishers, tasks, give_up: options.give_up })
    }

    /// Queues the items at once, in this order. The future resolves when every endpoint has accepted each of them or a
    /// newer one of its channel, or fails when one has not in time. Dropping it takes nothing back.
    pub fn publish(&self, items: Vec<Item>) -> impl Future<Output = Result<(), PublishError>> + Send + use<> {
        let deadline = Instant::now() + self.give_up;
        let items: Vec<Arc<Item>> = items.into_iter().map(Arc::new).collect();
        let mut waiting = Vec::with_capacity(self.publishers.len() * items.len());
        for publisher in &self.publishers {
            let with_waiter = |(index, item): (usize, &Arc<Item>)| {
                let (sender, receiver) = oneshot::channel();
                // Only the name: the future must not keep the queue alive, or it would not hear that it is gone.
                waiting.push((index, publisher.name().clone(), receiver));
                (item.clone(), sender)
            };
            publisher.push(items.iter().enumerate().map(with_waiter));
        }
        async move {
            let mut refusals = Vec::new();
            for (index, endpoint, receiver) in waiting {
                let refusal = match timeout_at(deadline, receiver).await {
                    Ok(Ok(Ok(()))) => continue,
                    Ok(Ok(Err(refusal))) => refusal,
                    Ok(Err(_)) => Refusal::Stopped,
                    Err(_) => Refusal::TimedOut,
                };
                refusals.push((index, endpoint.to_string(), refusal));
            }
            if refusals.is_empty() { Ok(()) } else { Err(PublishError { refusals }) }
        }
    }

    /// How each endpoint is doing, in the order they were given.
    pub fn endpoint_states(&self) -> Vec<EndpointState> {
        self.publishers.iter().map(|publisher| publisher.state()).collect()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.publishers.iter().map(|publisher| publisher.name())).finish()
    }
}

impl PublishError {
    /// The items, by their index in the call and in order, that not every endpoint has accepted.
    pub fn unaccepted(&self) -> Vec<usize> {
        let mut indexes: Vec<usize> = self.refusals.iter().map(|(index, ..)| *index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} items are not accepted by every endpoint", self.unaccepted().len())?;
        match self.refusals.first() {
            Some((_, endpoint, refusal)) => write!(f, ", the first by {endpoint}: {refusal}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PublishError {}
