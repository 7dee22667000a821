//! Checks and runs one command.

use std::sync::Arc;

use actix_web::HttpRequest;

use super::entities;
use crate::access::{Needed, Verb};
use crate::domain::{EntityKey, FieldChanges, IdempotencyKey, JsonText, Route};
use crate::exec::Action;
use crate::http::context::WorkerContext;
use crate::http::entity_path::EntityName;
use crate::http::error::ApiError;
use crate::http::limit_checks::{append, merge};
use crate::http::route_access::{admit, admit_reader, check_route_writer};
use crate::http::sql;
use crate::http::written_drop::{DeletedDrop, WrittenDrop};
use crate::sql::Parameters;
use crate::store::{Body, Merge, WriteError};

/// Runs commands for a request.
pub(super) struct Runner<'a> {
    pub(super) request: &'a HttpRequest,
    pub(super) context: &'a WorkerContext,
}

impl Runner<'_> {
    /// Whether the request may run the command. Which routes a statement in SQL reads is only known when it runs.
    pub(super) fn check(&self, action: &Action) -> Result<(), ApiError> {
        let Runner { request, context } = self;
        match action {
            Action::Read(route, _) => admit_reader(request, context, route).map(drop),
            Action::List { route, top } => {
                entities::check_top(*top)?;
                admit_reader(request, context, route).map(drop)
            }
            Action::Find(find) => {
                entities::check_top(find.top)?;
                admit_reader(request, context, &find.route).map(drop)
            }
            Action::Merge { route, .. } => check_route_writer(request, context, Verb::Write, route),
            Action::Append(route, event) => {
                entities::check_event(event)?;
                check_route_writer(request, context, Verb::Write, route)
            }
            Action::Remove(route, _) => check_route_writer(request, context, Verb::Manage, route),
            Action::Sql(_) => admit(request, context, &Needed::Sql).map(drop),
        }
    }

    /// Runs the command, and returns its answer as JSON.
    pub(super) async fn run(&self, action: &Action, key: Option<IdempotencyKey>) -> Result<String, ApiError> {
        let Runner { request, context } = self;
        match action {
            Action::Read(route, key) => self.read(route, key).await,
            Action::Merge { route, key: entity, fields, keep, existing } => {
                let merge = Merge { fields: FieldChanges::clone(fields), keep: *keep };
                let name = EntityName { route: route.clone(), key: entity.clone() };
                self.merge(name, merge, *existing, key).await
            }
            Action::Append(route, event) => self.append(route, event, key).await,
            Action::Remove(route, entity) => {
                let name = EntityName { route: route.clone(), key: entity.clone() };
                let deleted = context.live.delete(name.topic(), key).await?;
                Ok(DeletedDrop::new(&name, deleted).json())
            }
            Action::List { route, top } => entities::list(context, route, *top).await,
            Action::Find(find) => entities::find(context, find).await,
            Action::Sql(statement) => {
                let answer = sql::run(request, context, statement, Parameters::default()).await?;
                Ok(answer.json())
            }
        }
    }

    async fn read(&self, route: &Route, key: &EntityKey) -> Result<String, ApiError> {
        let name = EntityName { route: route.clone(), key: key.clone() };
        match self.context.live.read(name.topic()).await.map_err(ApiError::unread)?.body {
            Body::Document(document) => Ok(document.to_json()),
            _ => Err(missing(&name)),
        }
    }

    async fn merge(
        &self,
        name: EntityName,
        changes: Merge,
        existing: bool,
        key: Option<IdempotencyKey>,
    ) -> Result<String, ApiError> {
        let Runner { request, context } = self;
        let stamped = if existing {
            match context.live.merge(name.topic(), Arc::new(changes), key, false).await {
                Err(WriteError::WouldBeNew) => return Err(missing(&name)),
                answer => answer?,
            }
        } else {
            merge(request, context, name.topic(), changes, key).await?
        };
        Ok(WrittenDrop::of_entity(&name, &stamped).json())
    }

    async fn append(
        &self,
        route: &Route,
        event: &JsonText,
        key: Option<IdempotencyKey>,
    ) -> Result<String, ApiError> {
        let stamped = append(self.request, self.context, route, event.clone(), key).await?;
        Ok(WrittenDrop::of_event(route, &stamped).json())
    }
}

/// Whether the command writes.
pub(super) fn writes(action: &Action) -> bool {
    matches!(action, Action::Merge { .. } | Action::Append(..) | Action::Remove(..))
}

fn missing(name: &EntityName) -> ApiError {
    let EntityName { route, key } = name;
    ApiError::NotFound(format!("there is no entity @{key} of the route {route}"))
}
