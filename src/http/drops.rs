//! `POST /drop`: changes an entity, or appends an event to the feed of a route.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::accept::negotiate;
use super::context::WorkerContext;
use super::drop_body::{DropBody, DropChange};
use super::entity_path::EntityName;
use super::error::ApiError;
use super::idempotency::idempotency_key;
use super::json_body::json_body;
use super::limit_checks::{append, check_write, merge};
use super::media::Media;
use super::query::Query;
use super::route_access::check_route_writer;
use super::written_drop::{DeletedDrop, WrittenDrop};
use crate::access::Verb;

/// Writes a drop, and answers its id.
pub(super) async fn post(
    request: HttpRequest,
    payload: Payload,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check_write(&request, &context)?;
    Query::of(request.query_string(), &[])?;
    negotiate(request.headers(), &[Media::Json])?;
    let idempotency = idempotency_key(&request)?;
    let body = json_body(&request, payload).await?;
    let DropBody { route, change } = DropBody::parse(&body)?;
    let verb = if matches!(change, DropChange::Delete(_)) { Verb::Manage } else { Verb::Write };
    check_route_writer(&request, &context, verb, &route)?;
    match change {
        DropChange::Append(event) => {
            let stamped = append(&request, &context, &route, event, idempotency).await?;
            Ok(WrittenDrop::of_event(&route, &stamped).answer())
        }
        DropChange::Merge(key, fields) => {
            let name = EntityName { route, key };
            let stamped = merge(&request, &context, name.topic(), fields, idempotency).await?;
            Ok(WrittenDrop::of_entity(&name, &stamped).answer())
        }
        DropChange::Delete(key) => {
            let name = EntityName { route, key };
            let deleted = context.live.delete(name.topic(), idempotency).await?;
            Ok(DeletedDrop::new(&name, deleted).answer())
        }
    }
}
