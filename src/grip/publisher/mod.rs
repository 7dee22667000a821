//! Sends items to every endpoint. Endpoints do not talk to each other, so each gets all items, from a task of its own: an
//! endpoint that is down delays no other.

mod endpoint_publisher;
mod error;
mod options;
mod post;
mod queue;
mod queued_item;
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
pub use endpoint_publisher::EndpointState;
pub use error::{PublishError, PublisherError, Refusal};
pub use options::PublisherOptions;
use post::Poster;

/// Publishes to a fixed set of endpoints. Dropping the publisher ends its tasks and forgets the pending items.
///
/// Requests to an endpoint go one after the other, so the items of a channel arrive in the order of the calls. Items that come
/// during a request are sent together in the next one. A failed request is repeated until it succeeds, as a proxy drops an item
/// that it has had before.
pub struct Publisher {
    publishers: Vec<Arc<EndpointPublisher>>,
    tasks: Vec<AbortHandle>,
    give_up: Duration,
}

impl Publisher {
    /// A publisher to these endpoints. Its tasks run in the current Tokio runtime, which must outlive the publisher.
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

    /// Queues the items at once, in this order. The future resolves when every endpoint has accepted each item or a newer item of
    /// its channel, and fails if an endpoint has not done so in time. If the future is dropped, the items stay in the queue.
    pub fn publish(&self, items: Vec<Item>) -> impl Future<Output = Result<(), PublishError>> + Send + use<> {
        let deadline = Instant::now() + self.give_up;
        let items: Vec<Arc<Item>> = items.into_iter().map(Arc::new).collect();
        let mut waiting = Vec::with_capacity(self.publishers.len() * items.len());
        for publisher in &self.publishers {
            let with_waiter = |(index, item): (usize, &Arc<Item>)| {
                let (sender, receiver) = oneshot::channel();
                // The future has only the name of the endpoint: a future that kept the queue alive would never see the queue end.
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

    /// The health of each endpoint, in the order in which they were given.
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
