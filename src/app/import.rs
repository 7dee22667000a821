//! The work of `livecounter import`: sets or adds the values that an input names.

use std::fmt::Write as _;
use std::io::{BufReader, Read, Seek};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::import_feeds::FeedImport;
use super::import_record::{ImportRecord, Progress, RecordError};
use super::store_source::StoreSource;
use crate::domain::{FieldChanges, LIMIT, Topic};
use crate::import::{
    CheckError, CheckedInput, CounterLines, ImportLine, ImportMode, ReadError, Target, check,
};
use crate::settings::{Settings, SettingsError};
use crate::store::{Change, Store, StoreError, Write, WriteError};

/// How many lines one call to the store takes.
const BATCH: usize = 500;
/// How many lines that were not stored are named.
const NAMED: usize = 10;
/// The time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// How an input is imported.
#[derive(Clone, Copy, Debug)]
pub struct ImportOptions<'a> {
    /// What happens to the counters.
    pub mode: ImportMode,
    /// Only the input is checked; no store is opened.
    pub dry_run: bool,
    /// Tells an import of the same bytes from another one. Only [`ImportMode::Add`] looks at it.
    pub name: &'a str,
}

/// The reason why nothing was imported, or not all lines.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A setting cannot be used, or the file that it names is in use.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The input cannot be used.
    #[error("nothing is stored")]
    Input(#[from] CheckError),
    /// Values would leave the range.
    #[error("nothing is stored: {0}")]
    OutOfRange(String),
    /// The store did not answer before anything was stored.
    #[error("nothing is stored")]
    Store(#[from] StoreError),
    /// What an earlier import of the same input has stored is not known.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The input was read twice, and was another the second time.
    #[error("the input has changed while it was read; {stored} lines are stored")]
    Changed {
        /// How many lines were stored.
        stored: u64,
    },
    /// Some lines were not stored.
    #[error("{stored} lines are stored; {reasons}")]
    Refused {
        /// How many lines were stored.
        stored: u64,
        /// Which lines were not, and why.
        reasons: String,
    },
}

/// Reads the input twice: first all lines are checked, so that nothing is stored if one is bad; then they are stored. Calls `progress`
/// about once a second with the number of stored lines. Returns the result as a sentence.
pub async fn import(
    settings: &Settings,
    input: &mut (impl Read + Seek),
    options: ImportOptions<'_>,
    progress: impl Fn(u64),
) -> Result<String, ImportError> {
    let checked = check(BufReader::new(&mut *input), options.mode)?;
    if options.dry_run {
        return Ok(sentence(&checked, options.mode, "would be", 0));
    }
    input.rewind().map_err(|error| CheckError::from(ReadError::from(error)))?;
    let source = StoreSource::open(settings).map_err(|error| settings.locate(error))?;
    let store = source.open_connection();
    let mut import = RunningImport {
        store: &*store,
        checked,
        options,
        feeds: FeedImport::default(),
        stored: 0,
        skipped: 0,
        reasons: Vec::new(),
        failed: 0,
    };
    let imported = match options.mode {
        ImportMode::Set => import.write_all(input, None, progress).await,
        ImportMode::Add => import.add_once(input, progress).await,
    };
    drop(store);
    source.close().await;
    imported
}

/// An import that is under way.
struct RunningImport<'a> {
    store: &'a dyn Store,
    checked: CheckedInput,
    options: ImportOptions<'a>,
    feeds: FeedImport,
    /// How many lines are stored, by this process or by an earlier one.
    stored: u64,
    /// How many lines have the value 0, which changes nothing when it is added.
    skipped: u64,
    /// The first lines that are not stored, with the reasons.
    reasons: Vec<String>,
    failed: u64,
}

impl RunningImport<'_> {
    /// Adds the values, unless an earlier import of the same input has done so.
    async fn add_once(
        &mut self,
        input: &mut (impl Read + Seek),
        progress: impl Fn(u64),
    ) -> Result<String, ImportError> {
        let mut record = ImportRecord::of(self.checked.digest.as_ref(), self.options.name);
        match record.read(self.store).await? {
            Progress::Finished(time) => {
                return Ok(format!("nothing is added: an import of the same input was finished on {time}"));
            }
            Progress::Begun => {}
            Progress::None => {
                self.check_sums(input).await?;
                input.rewind().map_err(|error| CheckError::from(ReadError::from(error)))?;
                record.begin(self.store).await?;
            }
        }
        let done = self.write_all(input, Some(&record), progress).await?;
        if let Err(RecordError::Store(error)) = record.finish(self.store).await {
            let reasons = format!("{error}. The same command must be repeated once");
            return Err(ImportError::Refused { stored: self.stored, reasons });
        }
        Ok(done)
    }

    /// Refuses an input if a sum with the present value leaves the range.
    async fn check_sums(&mut self, input: &mut impl Read) -> Result<(), ImportError> {
        let mut lines = CounterLines::new(BufReader::new(input));
        while let Some(batch) = self.batch(&mut lines)? {
            let topics: Vec<_> = batch.iter().map(|line| line.target.topic()).collect();
            let readings = self.store.read(topics.clone()).await;
            for ((line, topic), reading) in batch.iter().zip(&topics).zip(readings) {
                let value = reading?.body.number();
                if (value + self.checked.sum(topic)).abs() > LIMIT {
                    self.refuse(
                        line,
                        &format!("the {} has {value}, so its sum leaves ±{LIMIT}", line.target),
                    );
                }
            }
        }
        if self.failed > 0 {
            return Err(ImportError::OutOfRange(self.reasons()));
        }
        Ok(())
    }

    /// Writes all lines, in batches. With a record every line has an idempotency key, so that no line counts twice.
    async fn write_all(
        &mut self,
        input: &mut impl Read,
        record: Option<&ImportRecord>,
        progress: impl Fn(u64),
    ) -> Result<String, ImportError> {
        let mut lines = CounterLines::new(BufReader::new(input));
        let mut reported = Instant::now();
        while let Some(mut batch) = self.batch(&mut lines)? {
            if let Some(record) = record {
                record.check_time()?;
                let before = batch.len();
                batch.retain(|line| line.value != 0 || line.target.is_event());
                self.skipped += (before - batch.len()) as u64;
            }
            if let Err(error) = self.feeds.leave_out_known(self.store, &mut batch).await {
                let reasons = format!("{error}. The same command may be repeated");
                return Err(ImportError::Refused { stored: self.stored, reasons });
            }
            self.write(&batch, record).await?;
            if reported.elapsed() >= REPORT_EVERY {
                reported = Instant::now();
                progress(self.stored);
            }
        }
        if lines.digest().as_ref() != self.checked.digest.as_ref() {
            return Err(ImportError::Changed { stored: self.stored });
        }
        if self.failed > 0 {
            return Err(ImportError::Refused { stored: self.stored, reasons: self.reasons() });
        }
        Ok(sentence(&self.checked, self.options.mode, "are", self.feeds.left_out()))
    }

    async fn write(
        &mut self,
        batch: &[ImportLine],
        record: Option<&ImportRecord>,
    ) -> Result<(), ImportError> {
        let items: Vec<_> = batch.iter().flat_map(|line| self.items(line, record)).collect();
        let writes = items.iter().map(|(_, write)| write.clone()).collect();
        let (mut unavailable, mut last) = (None, 0);
        for ((line, _), written) in items.iter().zip(self.store.write(writes).await) {
            match written {
                // A line of a page has two items.
                Ok(_) => self.stored += u64::from(line.line != last),
                Err(WriteError::Unavailable(error)) => unavailable = unavailable.or(Some((line.line, error))),
                Err(error) => self.refuse(line, &format!("{}: {error}", line.target)),
            }
            last = line.line;
        }
        let kept = self.keep_addresses(batch).await;
        match unavailable.or_else(|| Some((last, kept.err()?))) {
            Some((line, error)) => {
                let reasons =
                    format!("line {line} may be missing, as {error}. The same command may be repeated");
                Err(ImportError::Refused { stored: self.stored, reasons })
            }
            None => Ok(()),
        }
    }

    /// Keeps the addresses of the pages, which the names of their topics do not tell.
    async fn keep_addresses(&self, batch: &[ImportLine]) -> Result<(), StoreError> {
        let kept = batch.iter().filter_map(|line| match &line.target {
            Target::Page(address) => {
                Some(async move { self.store.keep_address(&Topic::page(address), address.as_str()).await })
            }
            Target::Counter(_) | Target::Site(_) | Target::Entity(..) | Target::Event(_) => None,
        });
        try_join_all(kept).await.map(|_| ())
    }

    /// The next lines; `None` at the end.
    fn batch<R: Read>(
        &self,
        lines: &mut CounterLines<BufReader<R>>,
    ) -> Result<Option<Vec<ImportLine>>, ImportError> {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
            match lines.read_next().map_err(CheckError::from)? {
                Some(Ok(line)) => batch.push(line),
                Some(Err(_)) => return Err(ImportError::Changed { stored: self.stored }),
                None => break,
            }
        }
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }

    /// The changes of a line: of what it names, and of the site of a page if the input has no line for that site.
    fn items<'a>(&self, line: &'a ImportLine, record: Option<&ImportRecord>) -> Vec<(&'a ImportLine, Write)> {
        let mut topics = vec![line.target.topic()];
        if let Target::Page(address) = &line.target {
            topics.extend(Some(Topic::site(address)).filter(|site| !self.checked.names_site(site)));
        }
        if let Target::Entity(topic, fields) = &line.target {
            return vec![(line, Write::merge(topic.clone(), FieldChanges::clone(fields)))];
        }
        if let Target::Event(event) = &line.target {
            return vec![(line, Write::append_past(event.feed.clone(), event.data.clone(), event.at))];
        }
        let write = |topic| match record {
            Some(record) => Write::add(topic, line.value, Some(record.key(line.line))),
            None => Write::new(topic, Change::Set(line.value)),
        };
        topics.into_iter().map(|topic| (line, write(topic))).collect()
    }

    fn refuse(&mut self, line: &ImportLine, reason: &str) {
        self.failed += 1;
        if self.reasons.len() < NAMED {
            self.reasons.push(format!("line {}: {reason}", line.line));
        }
    }

    /// The lines that were not stored, in one sentence.
    fn reasons(&self) -> String {
        let mut text = self.reasons.join("; ");
        let more = self.failed - self.reasons.len() as u64;
        if more > 0 {
            let _ = write!(text, "; and {more} more");
        }
        text
    }
}

/// What is stored, or would be. `left_out` is how many events their feeds do not need.
fn sentence(checked: &CheckedInput, mode: ImportMode, are: &str, left_out: u64) -> String {
    let mut parts = Vec::new();
    if checked.lines > 0 {
        parts.push(sentence_of_values(checked, mode, are));
    }
    if checked.events > 0 {
        parts.push(format!("{} events {are} appended", checked.events - left_out));
    }
    if left_out > 0 {
        parts.push(format!("{left_out} events are left out, as their feeds have them or later ones"));
    }
    parts.join("; ")
}

fn sentence_of_values(checked: &CheckedInput, mode: ImportMode, are: &str) -> String {
    let (lines, counters, zeros) = (checked.lines, checked.counters(), checked.zeros);
    let what = match (checked.has_pages, checked.has_entities) {
        (false, false) => "counters",
        (true, false) => "counters and pages",
        (false, true) => "counters and entities",
        (true, true) => "counters, pages and entities",
    };
    match mode {
        ImportMode::Set => format!("{counters} {what} {are} set"),
        ImportMode::Add if zeros > 0 => {
            let note = format!("values of 0, which change nothing: {zeros}");
            format!("{lines} values for {counters} {what} {are} added; {note}")
        }
        ImportMode::Add => format!("{lines} values for {counters} {what} {are} added"),
    }
}
