//! The entities of routes as the tables of a statement in SQL.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use super::Live;
use crate::domain::{Document, EntityKey, Route};
use crate::sql::{
    Fields, KeyRange, MOST_BYTES, MOST_ENTITIES, QueryError, SqlError, Table, TableSource, WantedTable,
};
use crate::store::{EntityQuery, StoreError};

/// The entities of the routes that a client may read. `may_read` says why the client may not read a route.
pub struct EntityTables<'a, F> {
    /// The use cases.
    pub live: &'a Live,
    /// Checks whether the client may read the route.
    pub may_read: F,
}

/// Why entities cannot be read.
#[derive(Debug)]
pub enum EntityTableError<E> {
    /// The client may not read the route.
    Denied(E),
    /// The store does not answer.
    Store(StoreError),
}

impl<E, F: Fn(&Route) -> Result<(), E>> EntityTables<'_, F> {
    /// The route of this name, if the client may read it.
    fn route(&self, table: &str) -> Result<Route, QueryError<EntityTableError<E>>> {
        let route: Route = table.parse().map_err(|error| {
            SqlError::Refused(format!("there is no table {table:?}: {error}; write a route in double quotes"))
        })?;
        (self.may_read)(&route).map_err(|error| QueryError::Source(EntityTableError::Denied(error)))?;
        Ok(route)
    }

    async fn entities(
        &self,
        query: &EntityQuery,
    ) -> Result<Vec<(EntityKey, Document)>, QueryError<EntityTableError<E>>> {
        let found = self.live.entities_in(query).await;
        found.map_err(|error| QueryError::Source(EntityTableError::Store(error)))
    }
}

/// How many bytes of memory the entities take, about.
fn size(entities: &[(EntityKey, Document)]) -> usize {
    entities.iter().map(|(key, document)| EntityQuery::size(key, document)).sum()
}

/// How much memory entities may take that are looked through for the names of their fields.
const STEP_BYTES: usize = 4 * 1024 * 1024;
/// When so many names of fields are known, no more entities are looked through.
const MOST_NAMES: usize = 10_000;

impl<E, F: Fn(&Route) -> Result<(), E>> TableSource for EntityTables<'_, F> {
    type Error = EntityTableError<E>;

    async fn read(&self, wanted: &WantedTable) -> Result<Table, QueryError<Self::Error>> {
        let mut table = Table::new(wanted);
        let KeyRange { low, high, descending, rows } = wanted.keys.clone();
        let names = match &wanted.fields {
            Fields::Named(names) if !wanted.payload => Some(names.iter().map(SmolStr::from).collect()),
            _ => None,
        };
        // One entity more than a table may have tells that there are too many.
        let limit = rows.unwrap_or(usize::MAX).min(MOST_ENTITIES + 1);
        let route = self.route(&wanted.name)?;
        let query =
            EntityQuery { route, low, high, descending, limit, most_bytes: MOST_BYTES, fields: names };
        let found = self.entities(&query).await?;
        if size(&found) > MOST_BYTES {
            return Err(table.too_large().into());
        }
        for (key, document) in found {
            table.push(key.as_str(), document.iter().map(|(name, json)| (name, json.as_str())))?;
        }
        Ok(table)
    }

    async fn field_names(&self, table: &str) -> Result<Vec<String>, QueryError<Self::Error>> {
        let mut names = BTreeSet::new();
        let mut query = EntityQuery {
            limit: MOST_ENTITIES,
            most_bytes: STEP_BYTES,
            ..EntityQuery::all(self.route(table)?)
        };
        loop {
            let found = self.entities(&query).await?;
            for (name, _) in found.iter().flat_map(|(_, document)| document.iter()) {
                if !names.contains(name) {
                    names.insert(name.to_owned());
                }
            }
            query.limit -= found.len();
            match found.last().filter(|_| size(&found) > STEP_BYTES && names.len() < MOST_NAMES) {
                Some((last, _)) => query = query.behind(last),
                None => return Ok(names.into_iter().collect()),
            }
        }
    }
}
