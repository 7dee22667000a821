//! Checks the limits of a client before the service works for it. A limit that is not set costs nothing.

use std::net::Ipv4Addr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::X_FORWARDED_FOR;

use super::access_checks::{presents_something, require};
use super::context::WorkerContext;
use super::error::ApiError;
use super::exceeded_limit::ExceededLimit;
use crate::access::{Needed, Space, Verb};
use crate::domain::{Amount, CounterId, IdempotencyKey, JsonText, PageAddress, Route, Topic};
use crate::limits::{Client, RateExceeded, RateLimit, RefusalReason, StreamSlot, TopicReservation};
use crate::live::{Counted, CountedHit, Stamped};
use crate::store::{Body, HitKey, Merge, Once, Visit, WriteError};

/// Counts a request that writes; 429 if the client has used up `limits.writes`. Handlers call this before they read anything
/// else of the request, in particular before its body.
pub(super) fn check_write(request: &HttpRequest, context: &WorkerContext) -> Result<(), ApiError> {
    let Some(writes) = &context.shared.limits.writes else { return Ok(()) };
    check_rate(writes, request, context, RefusalReason::Writes, |exceeded| {
        ExceededLimit::rate("writes", "requests that write", exceeded)
    })
}

/// Checks that the amount is within `access.amounts`, or that the request has a key or a ticket that covers writing to this
/// counter; 403 if neither is true, 401 if the key or the ticket is unknown. `name` is what the request calls the amount.
pub(super) fn check_amount(
    request: &HttpRequest,
    context: &WorkerContext,
    id: &CounterId,
    (name, amount): (&str, Amount),
) -> Result<(), ApiError> {
    let limits = &context.shared.limits;
    if limits.amounts.contain(amount) {
        return Ok(());
    }
    if presents_something(request)? {
        return require(request, context, &Needed::One(Verb::Write, Space::Counters, id.as_str()));
    }
    limits.refusals.record(RefusalReason::Amount);
    Err(ApiError::Forbidden(format!("{name} must be {} here; nothing was changed", limits.amounts)))
}

/// Adds the amount and returns the new value. If the addition has to create a topic, the limits of new topics must allow one
/// more.
pub(super) async fn add(
    request: &HttpRequest,
    context: &WorkerContext,
    topic: Topic,
    amount: Amount,
    key: Option<IdempotencyKey>,
) -> Result<i64, ApiError> {
    if has_no_topic_limit(context) {
        return Ok(context.live.add(topic, amount, key, true).await?.value);
    }
    let add = async |may_create| context.live.add(topic.clone(), amount, key.clone(), may_create).await;
    within_topic_limits(request, context, add).await.map(|counted| counted.value)
}

/// Sets the value and returns the new value. If the change has to create a topic, the limits of new topics must allow one more.
pub(super) async fn set(
    request: &HttpRequest,
    context: &WorkerContext,
    topic: Topic,
    value: i64,
    key: Option<IdempotencyKey>,
) -> Result<i64, ApiError> {
    if has_no_topic_limit(context) {
        return Ok(context.live.set(topic, value, key, true).await?.value);
    }
    let set = async |may_create| context.live.set(topic.clone(), value, key.clone(), may_create).await;
    within_topic_limits(request, context, set).await.map(|counted| counted.value)
}

/// Creates a topic that does not exist, with this value; `None` if another request has just created it with the same key. The limits of new topics must
/// allow one more.
pub(super) async fn create(
    request: &HttpRequest,
    context: &WorkerContext,
    topic: Topic,
    value: i64,
    once: Once,
) -> Result<Option<i64>, ApiError> {
    let create = async |may_create| context.live.create(topic.clone(), value, once.clone(), may_create).await;
    let counted = match has_no_topic_limit(context) {
        true => create(true).await.map_err(ApiError::from),
        false => within_topic_limits(request, context, create).await,
    };
    match counted {
        Ok(counted) => Ok((!counted.replayed).then_some(counted.value)),
        Err(ApiError::KeyReused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Changes fields of an entity. If the change has to create the entity, the limits of new topics must allow one more.
pub(super) async fn merge(
    request: &HttpRequest,
    context: &WorkerContext,
    entity: Topic,
    merge: Merge,
    key: Option<IdempotencyKey>,
) -> Result<Stamped, ApiError> {
    if has_no_topic_limit(context) {
        return Ok(context.live.merge(entity, Arc::new(merge), key, true).await?);
    }
    let merge = Arc::new(merge);
    let change = async |may_create| {
        context.live.merge(entity.clone(), Arc::clone(&merge), key.clone(), may_create).await
    };
    within_topic_limits(request, context, change).await
}

/// Appends an event to the feed of a route. If the feed has to be created, the limits of new topics must allow one more.
pub(super) async fn append(
    request: &HttpRequest,
    context: &WorkerContext,
    route: &Route,
    event: JsonText,
    key: Option<IdempotencyKey>,
) -> Result<Stamped, ApiError> {
    let events: Arc<[JsonText]> = [event].into();
    if has_no_topic_limit(context) {
        return Ok(context.live.append(route, events, key, true).await?);
    }
    let change =
        async |may_create| context.live.append(route, Arc::clone(&events), key.clone(), may_create).await;
    within_topic_limits(request, context, change).await
}

/// Counts a hit, with `key` only if the visitor is not counted yet, and the visitor of the site. If the page or its site is new, the limits of new topics must allow that.
pub(super) async fn hit(
    request: &HttpRequest,
    context: &WorkerContext,
    address: &PageAddress,
    key: Option<HitKey>,
    visit: Option<Visit>,
) -> Result<CountedHit, ApiError> {
    if has_no_topic_limit(context) {
        return Ok(context.live.hit(address, key, visit).await?);
    }
    let missing = missing_topics(context, address).await?;
    if missing > 0 {
        check_new_topics(request, context)?;
    }
    let mut reservations = Vec::new();
    for _ in 0..missing {
        match reserve_topic(context).await {
            Ok(reservation) => reservations.extend(reservation),
            Err(error) => {
                reservations.into_iter().for_each(TopicReservation::cancel);
                return Err(error);
            }
        }
    }
    let answer = context.live.hit(address, key, visit).await;
    // Without an answer the store may have created the topics, so all reservations stay.
    if let Ok(counted) = &answer {
        if let Some(topics) = &context.shared.limits.topics {
            (reservations.len()..counted.created).for_each(|_| topics.add_created());
        }
        reservations.into_iter().skip(counted.created).for_each(TopicReservation::cancel);
    }
    Ok(answer?)
}

/// How many topics a hit of the page has to create: none, the page, or the page and its site.
///
/// The store cannot be asked for a hit that creates no topic, because the page may be new while its site is not. So the store is read
/// first, unless this worker has counted a hit of the page before. A topic that was removed since then, or is removed between the
/// read and the hit, is created again without a check.
async fn missing_topics(context: &WorkerContext, address: &PageAddress) -> Result<usize, ApiError> {
    if context.live.knows_page(address) {
        return Ok(0);
    }
    let topics = [Topic::page(address), Topic::site(address)];
    let readings = context.live.read_all(&topics).await.map_err(ApiError::unread)?;
    Ok(readings.iter().filter(|reading| reading.body == Body::Gone).count())
}

fn has_no_topic_limit(context: &WorkerContext) -> bool {
    let limits = &context.shared.limits;
    limits.new_topics.is_none() && limits.topics.is_none()
}

/// Asks the store first for a change that does not create a topic. Only a change that needs a new topic counts against the limits
/// and is sent to the store again.
async fn within_topic_limits<T: TopicChange>(
    request: &HttpRequest,
    context: &WorkerContext,
    change: impl AsyncFn(bool) -> Result<T, WriteError>,
) -> Result<T, ApiError> {
    match change(false).await {
        Err(WriteError::WouldBeNew) => change_new_topic(request, context, change).await,
        answer => {
            let changed = answer?;
            if let (true, Some(topics)) = (changed.has_created(), &context.shared.limits.topics) {
                // `Live` has combined this addition with another addition, which was allowed to create the topic.
                topics.add_created();
            }
            Ok(changed)
        }
    }
}

/// The answer to a change of one topic.
trait TopicChange {
    /// Whether the change has created the topic.
    fn has_created(&self) -> bool;
}

impl TopicChange for Counted {
    fn has_created(&self) -> bool {
        self.created
    }
}

impl TopicChange for Stamped {
    fn has_created(&self) -> bool {
        self.created
    }
}

/// Sends a change of a topic that does not exist yet, if the limits of new topics allow one more.
async fn change_new_topic<T: TopicChange>(
    request: &HttpRequest,
    context: &WorkerContext,
    change: impl AsyncFn(bool) -> Result<T, WriteError>,
) -> Result<T, ApiError> {
    check_new_topics(request, context)?;
    let reservation = reserve_topic(context).await?;
    let answer = change(true).await;
    let created = match &answer {
        Ok(changed) => changed.has_created(),
        // Without an answer the store may have created the topic, so the reservation stays.
        Err(error) => matches!(error, WriteError::Unavailable(_)),
    };
    if let (false, Some(reservation)) = (created, reservation) {
        reservation.cancel();
    }
    Ok(answer?)
}

/// Counts a request that needs a new topic; 429 if the client has used up `limits.new_topics`.
fn check_new_topics(request: &HttpRequest, context: &WorkerContext) -> Result<(), ApiError> {
    let Some(new_topics) = &context.shared.limits.new_topics else { return Ok(()) };
    check_rate(new_topics, request, context, RefusalReason::NewTopics, |exceeded| {
        ExceededLimit::rate("new-topics", "requests that make something new", exceeded)
    })
}

/// Reserves a new topic; `None` if the number of topics is not limited, 507 if the store has as many as it may.
async fn reserve_topic(context: &WorkerContext) -> Result<Option<TopicReservation>, ApiError> {
    let limits = &context.shared.limits;
    let Some(topics) = &limits.topics else { return Ok(None) };
    let reservation = topics.reserve(async || context.live.topic_count().await).await;
    let reservation = reservation.map_err(|source| ApiError::Unavailable {
        detail: "the store does not say whether there is room for a new counter; nothing was changed; try again",
        source,
    })?;
    if reservation.is_none() {
        limits.refusals.record(RefusalReason::Topics);
        return Err(ApiError::TooManyTopics);
    }
    Ok(reservation)
}

/// Takes one of the client's stream slots; `None` if streams are not limited, 429 if the client has no free slot.
pub(super) fn take_stream_slot(
    request: &HttpRequest,
    context: &WorkerContext,
) -> Result<Option<StreamSlot>, ApiError> {
    let limits = &context.shared.limits;
    let Some(streams) = &limits.streams else { return Ok(None) };
    if let Some(slot) = streams.acquire(client(request, context)) {
        return Ok(Some(slot));
    }
    limits.refusals.record(RefusalReason::Streams);
    Err(ApiError::TooManyRequests(Box::new(ExceededLimit::streams(streams.most()))))
}

fn check_rate(
    rate: &RateLimit,
    request: &HttpRequest,
    context: &WorkerContext,
    reason: RefusalReason,
    describe: impl FnOnce(RateExceeded) -> ExceededLimit,
) -> Result<(), ApiError> {
    rate.check(client(request, context)).map_err(|exceeded| {
        context.shared.limits.refusals.record(reason);
        ApiError::TooManyRequests(Box::new(describe(exceeded)))
    })
}

/// The client that sent the request.
pub(super) fn client(request: &HttpRequest, context: &WorkerContext) -> Client {
    // Only a request over a Unix socket has no peer address; all such requests count as one client's.
    let peer = request.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
    let forwarded_for = request.headers().get_all(X_FORWARDED_FOR);
    context.shared.limits.trusted_proxies.client(peer, forwarded_for.map(|value| value.as_bytes()))
}
