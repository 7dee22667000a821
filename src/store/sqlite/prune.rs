//! Removes topics that have not changed for long, from a file that no process has open.

use std::path::Path;

use super::file::StoreFile;
use super::open::OpenError;
use crate::domain::Topic;
use crate::store::Pruned;

/// Counts the topics that have not been claimed since `before` (in milliseconds since 1970) and of which nothing is left to
/// announce; with `remove`, removes them. If the process is ended on the way, some of them are removed.
pub fn prune(
    path: &Path,
    before: u64,
    remove: bool,
    mut progress: impl FnMut(Pruned),
) -> Result<Pruned, OpenError> {
    let file = StoreFile::open(path)?;
    let mut prune = || {
        let (mut pruned, mut last) = (Pruned::default(), String::new());
        loop {
            let some = file.ages_behind(&last, i64::try_from(before).unwrap_or(i64::MAX))?;
            let Some((name, _)) = some.last() else { return Ok(pruned) };
            last.clone_from(name);
            let some: Vec<_> = some.into_iter().filter(|(name, _)| !Topic::names_import(name)).collect();
            let old = some.iter().filter(|(_, is_old)| *is_old);
            pruned.seen += some.len() as u64;
            pruned.old += old.clone().count() as u64;
            if remove {
                file.begin()?;
                old.map(|(name, _)| name).try_for_each(|name| file.remove(name))?;
                file.commit()?;
            }
            progress(pruned);
        }
    };
    prune().map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })
}
