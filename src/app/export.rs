//! The work of `livecounter export`: writes all counters, pages, sites, entities and events of feeds in the store as JSON, one per line.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::store_source::StoreSource;
use crate::domain::{CounterId, FeedEvent, Kind, Route, Topic};
use crate::settings::{Settings, SettingsError};
use crate::store::redis::RedisStore;
use crate::store::{Body, KeptEvents, Reading, Store, StoreError};

/// The first line: the format and its version. The line has no time, so that equal counters give equal bytes.
const FIRST_LINE: &str = r#"{"format":"livecounter","version":1}"#;
/// The number of topics that one call to the store lists.
const PAGE: usize = 500;
/// The longest time that a call to Redis waits for its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The reason why an export stopped early. The lines that were written before are not a complete export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A setting cannot be used, or the file that it names is in use.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The store did not answer, or answered with an error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lines cannot be written to the output.
    #[error("cannot write the export")]
    Output(#[from] io::Error),
}

/// What an export has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many counters, pages, sites, entities and events.
    pub lines: u64,
    /// How many pages were left out because the store does not have their addresses.
    pub without_address: u64,
}

/// A counter, a page or a site, as a line contains it.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum ExportedLine<'a> {
    Counter { id: CounterId, value: i64 },
    Page { page: &'a str, value: i64 },
    Site { site: &'a str, value: i64 },
}

/// Writes a line that names the format, a line for each counter, page, site, entity and event, in the order of the names of their topics, and a line with
/// their number, which shows that the export is complete. With a `prefix`, only the counters are written whose ids begin with it. Calls
/// `progress` about once a second with the number of lines so far.
pub async fn export(
    settings: &Settings,
    prefix: &str,
    output: &mut impl Write,
    progress: impl Fn(u64),
) -> Result<Exported, ExportError> {
    let source = open(settings).await?;
    let mut export = RunningExport {
        store: &*source.open_connection(),
        output,
        progress,
        reported: Instant::now(),
        exported: Exported::default(),
    };
    let written = export.write(prefix).await;
    drop(export);
    source.close().await;
    written
}

/// Opens the store. Refuses a missing file, because opening would create it.
async fn open(settings: &Settings) -> Result<StoreSource, ExportError> {
    let unusable = |key, error: &dyn std::fmt::Display| settings.locate(SettingsError::new(key, error));
    if let Some(url) = &settings.redis_url {
        let store = RedisStore::connect(url.expose(), TIMEOUT);
        let store = store.map_err(|error| unusable("redis.url", &error))?;
        // Topics that an older version wrote cannot be listed before the migration.
        store.migrate().await?;
    } else if let Err(error) = std::fs::metadata(&settings.sqlite_path) {
        let problem = format!("cannot use {}: {error}", settings.sqlite_path.display());
        return Err(unusable("sqlite.path", &problem).into());
    }
    Ok(StoreSource::open(settings).map_err(|error| settings.locate(error))?)
}

/// An export that is under way.
struct RunningExport<'a, W, P> {
    store: &'a dyn Store,
    output: &'a mut W,
    progress: P,
    reported: Instant,
    exported: Exported,
}

impl<W: Write, P: Fn(u64)> RunningExport<'_, W, P> {
    async fn write(&mut self, prefix: &str) -> Result<Exported, ExportError> {
        writeln!(self.output, "{FIRST_LINE}")?;
        self.write_all(&Topic::counter_prefix(prefix)).await?;
        if prefix.is_empty() {
            self.write_all(Kind::Page.prefix()).await?;
            self.write_all(Kind::Site.prefix()).await?;
            self.write_all(Kind::Entity.prefix()).await?;
            self.write_all(Kind::Feed.prefix()).await?;
        }
        writeln!(self.output, r#"{{"end":true,"counters":{}}}"#, self.exported.lines)?;
        self.output.flush()?;
        Ok(self.exported)
    }

    /// Writes the lines of all topics whose names begin with `prefix`.
    async fn write_all(&mut self, prefix: &str) -> Result<(), ExportError> {
        let mut last = None::<Topic>;
        loop {
            let listed = self.store.list(prefix, last.as_ref(), PAGE).await?;
            self.write_some(&listed).await?;
            self.report();
            let Some((topic, _)) = listed.into_iter().next_back() else { return Ok(()) };
            last = Some(topic);
        }
    }

    async fn write_some(&mut self, listed: &[(Topic, Reading)]) -> Result<(), ExportError> {
        let is_page = |topic: &&Topic| topic.kind() == Some(Kind::Page);
        let pages: Vec<Topic> = listed.iter().map(|(topic, _)| topic).filter(is_page).cloned().collect();
        let mut addresses =
            if pages.is_empty() { Vec::new() } else { self.store.addresses(&pages).await? }.into_iter();
        let entities: Vec<Topic> =
            listed.iter().map(|(topic, _)| topic).filter(|topic| topic.is_entity()).cloned().collect();
        let mut ends =
            if entities.is_empty() { Vec::new() } else { self.store.ends(&entities).await? }.into_iter();
        for (topic, reading) in listed {
            let address = if is_page(&topic) { addresses.next().flatten() } else { None };
            let end = if topic.is_entity() { ends.next().flatten() } else { None };
            if let (Body::Document(document), Some((route, key))) = (&reading.body, topic.entity_name()) {
                // Routes and keys have no characters that JSON would escape.
                let payload = document.to_json();
                let ends = end.map(|ends| format!(r#","ends":{ends}"#)).unwrap_or_default();
                writeln!(self.output, r#"{{"route":"{route}","key":"{key}","payload":{payload}{ends}}}"#)?;
                self.exported.lines += 1;
            }
            if let (Body::Events(_), Some(route)) = (&reading.body, topic.feed_route()) {
                self.write_events(topic, &route).await?;
            }
            let Body::Number(value) = reading.body else { continue };
            let line = match topic.kind() {
                Some(Kind::Counter) => topic.counter_id().map(|id| ExportedLine::Counter { id, value }),
                Some(Kind::Page) => address.as_deref().map(|page| ExportedLine::Page { page, value }),
                Some(Kind::Site) => topic.site_host().map(|site| ExportedLine::Site { site, value }),
                Some(Kind::Entity | Kind::Feed) | None => None,
            };
            match line {
                Some(line) => {
                    serde_json::to_writer(&mut *self.output, &line).map_err(io::Error::from)?;
                    self.output.write_all(b"\n")?;
                    self.exported.lines += 1;
                }
                None => self.exported.without_address += u64::from(is_page(&topic)),
            }
        }
        Ok(())
    }

    /// Writes the events of a feed, the oldest first, without those that are too old for readers.
    async fn write_events(&mut self, feed: &Topic, route: &Route) -> Result<(), ExportError> {
        let mut last = 0;
        loop {
            let KeptEvents { events, oldest } = self.store.kept(feed, last, PAGE).await?;
            for FeedEvent { at, data, .. } in events.iter().filter(|event| event.at >= oldest) {
                writeln!(self.output, r#"{{"route":"{route}","at":{at},"event":{data}}}"#)?;
                self.exported.lines += 1;
            }
            self.report();
            match events.last() {
                Some(event) => last = event.id.revision,
                None => return Ok(()),
            }
        }
    }

    /// Tells the caller how many lines are written, if it is time for that.
    fn report(&mut self) {
        if self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            (self.progress)(self.exported.lines);
        }
    }
}
