//! The work of `livecounter export`: writes all counters of the store as JSON, one counter per line.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::store_source::StoreSource;
use crate::domain::{CounterId, Topic};
use crate::settings::{Settings, SettingsError};
use crate::store::redis::RedisStore;
use crate::store::{Body, Store, StoreError};

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

/// One counter, as a line contains it.
#[derive(serde::Serialize)]
struct ExportedCounter<'a> {
    id: &'a CounterId,
    value: i64,
}

/// Writes a line that names the format, a line for each counter whose id begins with `prefix`, in the order of the ids, and a line with
/// their number, which shows that the export is complete. Calls
/// `progress` about once a second with the number of counters so far. Returns the number of counters.
pub async fn export(
    settings: &Settings,
    prefix: &str,
    output: &mut impl Write,
    progress: impl Fn(u64),
) -> Result<u64, ExportError> {
    let source = open(settings).await?;
    let written = write(&*source.open_connection(), &Topic::counter_prefix(prefix), output, progress).await;
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

async fn write(
    store: &dyn Store,
    prefix: &str,
    output: &mut impl Write,
    progress: impl Fn(u64),
) -> Result<u64, ExportError> {
    writeln!(output, "{FIRST_LINE}")?;
    let (mut last, mut count, mut reported) = (None::<Topic>, 0, Instant::now());
    loop {
        let page = store.list(prefix, last.as_ref(), PAGE).await?;
        for (topic, reading) in &page {
            if let (Some(id), Body::Number(value)) = (topic.counter_id(), reading.body) {
                serde_json::to_writer(&mut *output, &ExportedCounter { id: &id, value })
                    .map_err(io::Error::from)?;
                output.write_all(b"\n")?;
                count += 1;
            }
        }
        if reported.elapsed() >= REPORT_EVERY {
            reported = Instant::now();
            progress(count);
        }
        let Some((topic, _)) = page.into_iter().next_back() else { break };
        last = Some(topic);
    }
    writeln!(output, r#"{{"end":true,"counters":{count}}}"#)?;
    output.flush()?;
    Ok(count)
}
