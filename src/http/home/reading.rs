//! Reads the numbers of the home page from the store.

use std::sync::Arc;

use actix_web::web::Data;

use super::entry::Entry;
use super::figures::Figures;
use crate::domain::{PageAddress, Topic};
use crate::http::context::WorkerContext;
use crate::http::top_hits::{Top, TopEntry};
use crate::store::{Reading, StoreError};

/// The most entries that the page shows of a list. One stream carries 20 topics: four counters, two lists, and the page and the site
/// that are looked up.
const LISTED: usize = 7;

/// The numbers of the page, at most a second old while the store answers.
pub(super) async fn figures(context: &Data<WorkerContext>) -> Arc<Figures> {
    let context = Data::clone(context);
    let kept = context.shared.home.figures();
    kept.present(|before| read(Data::clone(&context), before)).await
}

/// Reads all numbers. A number or a list that the store does not tell stays as it was.
async fn read(context: Data<WorkerContext>, before: Arc<Figures>) -> Figures {
    let topics: Vec<Topic> = context.shared.home.counters().map(Topic::counter).collect();
    let (counters, sites, pages) =
        tokio::join!(context.live.read_all(&topics), top(&context, Top::Sites), top(&context, Top::Pages));
    if let Some(error) =
        [counters.as_ref().err(), sites.as_ref().err(), pages.as_ref().err()].iter().flatten().next()
    {
        tracing::debug!("the home page shows older numbers, as the store does not answer: {error}");
    }
    let values = |readings: Vec<Reading>| readings.iter().map(|reading| Some(reading.value())).collect();
    Figures {
        counters: counters.map_or_else(|_| before.counters.clone(), values),
        sites: sites.unwrap_or_else(|_| before.sites.clone()),
        pages: pages.unwrap_or_else(|_| before.pages.clone()),
    }
}

/// The first entries of a list; none if there is no such list.
async fn top(context: &WorkerContext, of: Top) -> Result<Vec<Entry>, StoreError> {
    let Some(rules) = &context.shared.hits else { return Ok(Vec::new()) };
    let list = context.shared.top_hits.top(&context.live, rules, of).await?;
    let entry = |listed: &TopEntry| {
        let address: PageAddress = listed.address.parse().ok()?;
        let entry = if of == Top::Sites { Entry::site } else { Entry::page };
        Some(entry(&address, Some(listed.value)))
    };
    Ok(list.iter().filter_map(entry).take(LISTED).collect())
}
