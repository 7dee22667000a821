//! The contract on one SQLite file per test, and what holds for files alone.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use livecounter::store::Store;
use livecounter::store::sqlite::{OpenError, SqliteStore};
use tempfile::TempDir;

use crate::contract::{self, Backend, every_sentence};

/// A file in a directory of its own. One process opens it, so that every caller shares the store.
struct SqliteFile {
    store: Mutex<(Arc<SqliteStore>, TempDir)>,
}

impl SqliteFile {
    fn new() -> Self {
        SqliteFile { store: Mutex::new(new_file()) }
    }
}

fn new_file() -> (Arc<SqliteStore>, TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = SqliteStore::open(directory.path().join("livecounter.db")).expect("a new file");
    (Arc::new(store), directory)
}

#[async_trait]
impl Backend for SqliteFile {
    fn store(&self) -> Arc<dyn Store> {
        self.store.lock().expect("no test has failed").0.clone()
    }

    async fn forget(&self) {
        *self.store.lock().expect("no test has failed") = new_file();
    }
}

macro_rules! on_sqlite {
    ($($sentence:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $sentence() {
                contract::$sentence(&SqliteFile::new()).await;
            }
        )*
    };
}
every_sentence!(on_sqlite);

/// Opens a file that a store of this process has just closed. A process that another test starts inherits the lock's handle until its own
/// program runs, so that opening is repeated.
pub(crate) fn opened_again(path: &Path) -> SqliteStore {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match SqliteStore::open(path) {
            Err(OpenError::InUse { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => return opened.expect("the same file"),
        }
    }
}
