//! The work of `livecounter export`: writes all counters, pages, sites, entities and events of feeds in the store as JSON, one per line.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::export_lines::{KnownOfTopic, KnownOfTopics, Named, NumberLine};
use super::store_source::StoreSource;
use crate::domain::{Document, FeedEvent, Kind, Past, Topic};
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

/// What an export has in it.
#[derive(Clone, Copy, Debug)]
pub struct ExportOptions<'a> {
    /// If not empty, only the counters are written whose ids begin with this text.
    pub prefix: &'a str,
    /// The hours and days of counters, pages and sites are left out.
    pub without_past: bool,
}

/// What an export has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many counters, pages, sites, entities and events.
    pub lines: u64,
    /// How many pages were left out because the store does not have their addresses.
    pub without_address: u64,
}

/// Writes a line that names the format, a line for each counter, page, site, entity and event, in the order of the names of their topics, and a line with
/// their number, which shows that the export is complete. Calls
/// `progress` about once a second with the number of lines so far.
pub async fn export(
    settings: &Settings,
    options: ExportOptions<'_>,
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
        without_past: options.without_past,
    };
    let written = export.write(options.prefix).await;
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
    }
    StoreSource::find_file(settings).map_err(|error| settings.locate(error))?;
    Ok(StoreSource::open(settings).map_err(|error| settings.locate(error))?)
}

/// An export that is under way.
struct RunningExport<'a, W, P> {
    store: &'a dyn Store,
    output: &'a mut W,
    progress: P,
    reported: Instant,
    exported: Exported,
    without_past: bool,
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
        let known = KnownOfTopics::read(self.store, listed, self.without_past).await?;
        for ((topic, _), known) in listed.iter().zip(known.0) {
            match &known.body {
                Body::Document(document) => self.write_entity(topic, document, known.ends)?,
                Body::Events(_) => self.write_events(topic).await?,
                Body::Number(value) => self.write_number(topic, *value, known)?,
                Body::Gone => {}
            }
        }
        Ok(())
    }

    fn write_entity(&mut self, topic: &Topic, document: &Document, ends: Option<u64>) -> io::Result<()> {
        let Some((route, key)) = topic.entity_name() else { return Ok(()) };
        // Routes and keys have no characters that JSON would escape.
        let payload = document.to_json();
        let ends = ends.map(|ends| format!(r#","ends":{ends}"#)).unwrap_or_default();
        writeln!(self.output, r#"{{"route":"{route}","key":"{key}","payload":{payload}{ends}}}"#)?;
        self.exported.lines += 1;
        Ok(())
    }

    fn write_number(&mut self, topic: &Topic, value: i64, known: KnownOfTopic) -> io::Result<()> {
        let named = match topic.kind() {
            Some(Kind::Counter) => topic.counter_id().map(Named::Id),
            Some(Kind::Page) => known.address.map(Named::Page),
            Some(Kind::Site) => topic.site_host().map(Named::Site),
            Some(Kind::Entity | Kind::Feed) | None => None,
        };
        let Some(named) = named else {
            self.exported.without_address += u64::from(topic.kind() == Some(Kind::Page));
            return Ok(());
        };
        let Past { hours, days } = known.past.without_repetitions();
        serde_json::to_writer(&mut *self.output, &NumberLine { named, value, hours, days })?;
        self.output.write_all(b"\n")?;
        self.exported.lines += 1;
        Ok(())
    }

    /// Writes the events of a feed, the oldest first, without those that are too old for readers.
    async fn write_events(&mut self, feed: &Topic) -> Result<(), ExportError> {
        let Some(route) = feed.feed_route() else { return Ok(()) };
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
