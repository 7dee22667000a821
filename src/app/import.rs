//! The work of `livecounter import`: sets or adds the values that an input names.

use std::io::{BufReader, Read, Seek};
use std::time::{Duration, Instant};

use super::import_error::{ImportError, RefusedLines};
use super::import_feeds::FeedImport;
use super::import_pasts::restore_pasts;
use super::import_record::{ImportRecord, Progress, RecordError};
use super::import_summary::{LeftOut, sentence};
use super::import_writes::{keep_addresses, leave_out_ended, next_batch, writes};
use super::store_source::StoreSource;
use crate::domain::LIMIT;
use crate::import::{CheckError, CheckedInput, CounterLines, ImportLine, ImportMode, ReadError, check};
use crate::settings::Settings;
use crate::store::{Store, StoreError, WriteError};

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
        return Ok(sentence(&checked, options.mode, true, LeftOut::default()));
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
        left_out: LeftOut::default(),
        refused: RefusedLines::default(),
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
    left_out: LeftOut,
    refused: RefusedLines,
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
                    self.refused
                        .add(line, &format!("the {} has {value}, so its sum leaves ±{LIMIT}", line.target));
                }
            }
        }
        if !self.refused.is_empty() {
            return Err(ImportError::OutOfRange(self.refused.text()));
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
            }
            self.left_out.ended += leave_out_ended(&mut batch);
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
        if !self.refused.is_empty() {
            return Err(ImportError::Refused { stored: self.stored, reasons: self.refused.text() });
        }
        self.left_out.events = self.feeds.left_out();
        Ok(sentence(&self.checked, self.options.mode, false, self.left_out))
    }

    async fn write(
        &mut self,
        batch: &[ImportLine],
        record: Option<&ImportRecord>,
    ) -> Result<(), ImportError> {
        let items: Vec<_> = batch.iter().flat_map(|line| writes(line, &self.checked, record)).collect();
        let writes = items.iter().map(|(_, write)| write.clone()).collect();
        let (mut unavailable, mut last) = (None, 0);
        for ((line, _), written) in items.iter().zip(self.store.write(writes).await) {
            match written {
                // A line of a page has two items.
                Ok(_) => self.stored += u64::from(line.line != last),
                Err(WriteError::Unavailable(error)) => unavailable = unavailable.or(Some((line.line, error))),
                Err(error) => self.refused.add(line, &format!("{}: {error}", line.target)),
            }
            last = line.line;
        }
        let kept = self.keep_rest(batch).await;
        match unavailable.or_else(|| Some((last, kept.err()?))) {
            Some((line, error)) => {
                let reasons =
                    format!("line {line} may be missing, as {error}. The same command may be repeated");
                Err(ImportError::Refused { stored: self.stored, reasons })
            }
            None => Ok(()),
        }
    }

    /// Stores what a batch says of its topics besides their values.
    async fn keep_rest(&mut self, batch: &[ImportLine]) -> Result<(), StoreError> {
        keep_addresses(self.store, batch).await?;
        self.left_out.pasts += restore_pasts(self.store, batch, self.options.mode).await?;
        Ok(())
    }

    /// The next lines; `None` at the end.
    fn batch<R: Read>(
        &self,
        lines: &mut CounterLines<BufReader<R>>,
    ) -> Result<Option<Vec<ImportLine>>, ImportError> {
        let read = next_batch(lines).map_err(CheckError::from)?.transpose();
        // The first reading found no bad line.
        read.map_err(|_| ImportError::Changed { stored: self.stored })
    }
}
