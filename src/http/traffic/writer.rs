//! Writes the tally into entities and a feed of the service's own, by the ways that clients' changes take.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::{MissedTickBehavior, interval};

use super::per_second::Traffic;
use super::tally::{merge, topic};
use crate::live::Live;
use crate::store::WriteError;

/// The route of the feed of requests.
const EVENTS: &str = "_admin/events";

/// Writes the tally of the traffic once a second, until the traffic is dropped.
pub async fn keep_tally(traffic: Weak<Traffic>, live: Arc<Live>) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(traffic) = traffic.upgrade() else { return };
        write_tally(&traffic, &live).await;
    }
}

/// Writes what was counted until now. What the store does not take stays in the tally, and may count twice if the store has taken it without an
/// answer; events are not written again.
pub async fn write_tally(traffic: &Traffic, live: &Live) {
    let (amounts, events) = traffic.with_tally(|tally| tally.take());
    let merges = amounts.into_iter().map(async |(entity, amounts)| {
        let ((route, _), key) = &entity;
        let keep = traffic.with_tally(|tally| tally.begin_life(&entity));
        let (Some(topic), Ok(merge)) = (topic(route, key), merge(&amounts, keep)) else { return };
        match live.merge(topic, Arc::new(merge), None, true).await {
            // A store that has lost the entity has lost its life, too.
            Ok(merged) if merged.created && keep.is_none() => {
                traffic.with_tally(|tally| tally.forget_life(&entity));
            }
            Ok(_) => {}
            Err(WriteError::Unavailable(error)) => {
                tracing::debug!("the store has not taken the tally of {route}, which is kept: {error}");
                traffic.with_tally(|tally| tally.give_back(entity, amounts));
            }
            Err(error) => tracing::debug!("the tally of {route} was refused: {error}"),
        }
    });
    let append = async {
        if let (false, Ok(route)) = (events.is_empty(), EVENTS.parse())
            && let Err(error) = live.append(&route, events.into(), None, true).await
        {
            tracing::debug!("the latest requests could not be appended to {EVENTS}: {error}");
        }
    };
    // All of them wait at the same time, so that they go to the store in one batch.
    join(join_all(merges), append).await;
}
