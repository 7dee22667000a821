//! The contract on one SQLite file per test, and what is special about files.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use livecounter::store::Store;
use livecounter::store::sqlite::SqliteStore;
use tempfile::TempDir;

use crate::contract::{self, Backend, every_sentence};

/// A file in a directory of its own. One process has it: every caller shares the store.
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
