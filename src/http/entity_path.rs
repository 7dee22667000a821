//! What a path below `/entity/` names.

use actix_web::HttpRequest;

use super::error::ApiError;
use super::resource::READ;
use crate::domain::{EntityKey, Route, Topic};

/// An entity: its route and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntityName {
    pub(super) route: Route,
    pub(super) key: EntityKey,
}

impl EntityName {
    pub(super) fn topic(&self) -> Topic {
        Topic::entity(&self.route, &self.key)
    }
}

/// What a path names: an entity, or with a slash at its end all entities of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntityPath {
    One(EntityName),
    All(Route),
}

const NO_KEY: &str = "the path of an entity is /entity/{type}/{key}, such as /entity/analytics/daily/2026-02-10; \
                      the keys of a type are listed at /entity/{type}/";

/// What the path of the request names; 400 if it names nothing.
pub(super) fn entity_path(request: &HttpRequest) -> Result<EntityPath, ApiError> {
    let path = request.match_info().as_str();
    parse(path.strip_prefix("/entity").and_then(|rest| rest.strip_prefix('/')).unwrap_or_default())
}

/// The entity that the path of the request names; 400 if it names none, 405 if it names all entities of a route, which are only listed.
pub(super) fn entity_name(request: &HttpRequest) -> Result<EntityName, ApiError> {
    match entity_path(request)? {
        EntityPath::One(name) => Ok(name),
        EntityPath::All(_) => Err(ApiError::MethodNotAllowed(READ)),
    }
}

fn parse(path: &str) -> Result<EntityPath, ApiError> {
    let (route, key) = path.rsplit_once('/').ok_or_else(|| ApiError::BadRequest(NO_KEY.into()))?;
    let route = route.parse().map_err(|error| ApiError::BadRequest(format!("the type: {error}")))?;
    if key.is_empty() {
        return Ok(EntityPath::All(route));
    }
    let key = key.parse().map_err(|error| ApiError::BadRequest(format!("{error}")))?;
    Ok(EntityPath::One(EntityName { route, key }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_entity_or_all_of_a_route() {
        let route = |text: &str| text.parse::<Route>().expect("a route");
        let one =
            |route: Route, key: &str| EntityPath::One(EntityName { route, key: key.parse().expect("a key") });
        for (path, expected) in [
            ("a/b/k", one(route("a/b"), "k")),
            ("a/2026-02-10T13:00", one(route("a"), "2026-02-10T13:00")),
            ("a/", EntityPath::All(route("a"))),
            ("a/b/", EntityPath::All(route("a/b"))),
        ] {
            assert_eq!(parse(path).expect(path), expected);
        }
        for path in ["", "a", "/", "//", "/k", "a//k", "a//", "a b/k", "a/k%20", "a/~/k", "a/../k", "a/.."] {
            assert!(matches!(parse(path), Err(ApiError::BadRequest(_))), "{path}");
        }
    }
}
