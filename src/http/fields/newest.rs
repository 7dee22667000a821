//! One field of the newest entities of a route, kept for a while, as a store may have to look at all keys of the route for the last ones.

use std::sync::Arc;

use smol_str::SmolStr;

use super::number::number_of;
use crate::domain::{Document, EntityKey, Route};
use crate::http::kept::KeptAnswers;
use crate::live::Live;
use crate::store::{EntityQuery, StoreError};

/// The most entities of an answer: so many that a bar of a chart can still be seen.
pub(super) const MOST: u16 = 124;
/// How many answers are kept, each for another field.
const MOST_KEPT: usize = 64;

/// The key of an entity, and the number in its field; `None` where the field has something else.
pub(super) type FieldNumber = (String, Option<i64>);
/// The numbers in the field of several entities, in ascending order of the keys.
pub(super) type FieldNumbers = Arc<[FieldNumber]>;

/// The fields that one process keeps. One field at a time is read.
#[derive(Default)]
pub struct NewestFields(KeptAnswers<(Route, SmolStr), FieldNumbers, MOST_KEPT>);

impl NewestFields {
    /// The field of the [`MOST`] last entities of the route, in the order of their keys. An error if the store does not answer, or if other
    /// fields are read for too long.
    pub(super) async fn read(
        &self,
        live: &Live,
        route: &Route,
        field: &str,
    ) -> Result<FieldNumbers, StoreError> {
        let question = (route.clone(), SmolStr::from(field));
        self.0.answer(question, read(live, route, field)).await
    }
}

async fn read(live: &Live, route: &Route, field: &str) -> Result<FieldNumbers, StoreError> {
    let query = EntityQuery {
        descending: true,
        limit: usize::from(MOST),
        fields: Some(vec![field.into()]),
        ..EntityQuery::all(route.clone())
    };
    let found = live.entities_in(&query).await?;
    let number =
        |(key, document): (EntityKey, Document)| (key.to_string(), number_of(Some(&document), field));
    Ok(found.into_iter().rev().map(number).collect())
}
