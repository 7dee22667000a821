//! Reads the SQLite file of the hit-counter whose routes ours are, and writes its pages as lines, which an import reads.
//!
//! The file has a table `url` with a row for each text that named a page: `CREATE TABLE url (id INTEGER PRIMARY KEY, url VARCHAR(256),
//! count INTEGER)`. Two visitors who came first at the same time made two rows of one text. Each later visit was added to both of them, so
//! the greater count is the right one. Different texts of one page have rows of their own, whose counts belong together.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde::Serialize;

use crate::domain::{LIMIT, PageAddress};

/// The bytes with which an SQLite file begins.
const BEGINNING: &[u8] = b"SQLite format 3\0";
/// The `application_id` of a file of this program.
const OWN_APPLICATION: i64 = 0x6c69_7665;
/// How many texts that name no page are kept.
const NAMED: usize = 3;
/// The most characters that are kept of such a text.
const LONGEST_NAMED: usize = 60;

/// What was found in a file of the hit-counter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HitCounterPages {
    /// How many lines were written: one for each text that names a page.
    pub lines: u64,
    /// How many texts name no page, as `alert(1)`; they are left out.
    pub left_out: u64,
    /// The first of these texts, shortened.
    pub first_left_out: Vec<String>,
}

/// Why a file cannot be read as that of the hit-counter.
#[derive(Debug, thiserror::Error)]
pub enum HitCounterError {
    /// SQLite cannot read the file.
    #[error("cannot read {path} as an SQLite database: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// The file is a store of this program.
    #[error("{0} is a database of livecounter: `livecounter export` writes the lines that an import reads")]
    Own(PathBuf),
    /// The file has no such table.
    #[error("{0} has no table url with the columns url and count, so it is no database of the hit-counter")]
    OtherTables(PathBuf),
    /// A row has a count or a text that the hit-counter does not write.
    #[error("nothing is stored: row {row} of the table url in {path} has {problem}")]
    Row {
        /// The file.
        path: PathBuf,
        /// The `rowid` of the row.
        row: i64,
        /// What is wrong with the row.
        problem: &'static str,
    },
    /// The lines cannot be written.
    #[error("cannot write the pages of the database to a temporary file")]
    Output(#[from] io::Error),
}

/// A page, as a line contains it.
#[derive(Serialize)]
struct PageLine<'a> {
    page: &'a str,
    value: i64,
}

/// Whether a file begins like an SQLite database.
pub fn is_sqlite(beginning: &[u8]) -> bool {
    beginning.starts_with(BEGINNING)
}

/// Writes a line for each text of the table that names a page, in the order of the texts, so that equal tables give equal lines. The file
/// is opened for reading only, and never changes.
pub fn write_hit_counter_pages(
    path: &Path,
    output: &mut impl Write,
) -> Result<HitCounterPages, HitCounterError> {
    let sqlite = |source| HitCounterError::Sqlite { path: path.to_owned(), source };
    let connection = open(path).map_err(sqlite)?;
    let application: i64 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(sqlite)?;
    if application == OWN_APPLICATION {
        return Err(HitCounterError::Own(path.to_owned()));
    }
    if !has_table(&connection).map_err(sqlite)? {
        return Err(HitCounterError::OtherTables(path.to_owned()));
    }
    if let Some((row, problem)) = odd_row(&connection).map_err(sqlite)? {
        return Err(HitCounterError::Row { path: path.to_owned(), row, problem });
    }
    let sql = "SELECT coalesce(url, '') AS text, max(count) FROM url GROUP BY text COLLATE BINARY ORDER BY text COLLATE BINARY";
    let mut statement = connection.prepare(sql).map_err(sqlite)?;
    let mut rows = statement.query([]).map_err(sqlite)?;
    let mut found = HitCounterPages::default();
    while let Some(row) = rows.next().map_err(sqlite)? {
        let text: String = row.get(0).map_err(sqlite)?;
        match page(&text) {
            Some(address) => {
                let line = PageLine { page: address.as_str(), value: row.get(1).map_err(sqlite)? };
                serde_json::to_writer(&mut *output, &line).map_err(io::Error::from)?;
                output.write_all(b"\n")?;
                found.lines += 1;
            }
            None => {
                found.left_out += 1;
                if found.first_left_out.len() < NAMED {
                    found.first_left_out.push(text.chars().take(LONGEST_NAMED).collect());
                }
            }
        }
    }
    output.flush()?;
    Ok(found)
}

/// Opens the file without changing anything beside it: if no other program has left a journal there, SQLite creates none.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let is_there = |ending: &str| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(ending);
        std::fs::metadata(beside).is_ok_and(|file| file.len() > 0)
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if is_there("-wal") || is_there("-journal") {
        Connection::open_with_flags(path, flags)?
    } else {
        let name = percent_encoding::percent_encode(
            path.as_os_str().as_encoded_bytes(),
            percent_encoding::NON_ALPHANUMERIC,
        );
        let url = format!("file:{name}?immutable=1");
        Connection::open_with_flags(url, flags | OpenFlags::SQLITE_OPEN_URI)?
    };
    // Otherwise the last connection would move the contents of the write-ahead log into the file.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(connection)
}

fn has_table(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM pragma_table_info('url') WHERE name IN ('url', 'count') \
               AND EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'url')";
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|columns| columns == 2)
}

/// A row that the hit-counter cannot have written, and what is wrong with it. A row without a text names no page, so its count does not matter.
fn odd_row(connection: &Connection) -> rusqlite::Result<Option<(i64, &'static str)>> {
    let sql = format!(
        "SELECT rowid, typeof(url) = 'text' FROM url WHERE url IS NOT NULL AND \
         (typeof(url) <> 'text' OR typeof(count) <> 'integer' OR count NOT BETWEEN 0 AND {LIMIT}) ORDER BY rowid LIMIT 1"
    );
    let row = connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get::<_, bool>(1)?))).optional()?;
    Ok(row.map(|(row, is_text)| {
        (row, if is_text { "no count that a page can have" } else { "bytes that are no text" })
    }))
}

/// The page that a text names. A text of digits before the first slash was the port of an address without a scheme, not an IP address.
fn page(text: &str) -> Option<PageAddress> {
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    if host.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &str) -> Result<(HitCounterPages, String), String> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a %?#.db");
        let file = Connection::open(&path).expect("a new file");
        file.execute_batch(rows).expect("SQL");
        drop(file);
        let before = std::fs::read(&path).expect("the file");
        let mut lines = Vec::new();
        let found = write_hit_counter_pages(&path, &mut lines);
        assert_eq!(std::fs::read(&path).expect("the file"), before);
        assert_eq!(std::fs::read_dir(directory.path()).expect("the directory").count(), 1);
        let name = path.display().to_string();
        found
            .map(|found| (found, String::from_utf8(lines).expect("text")))
            .map_err(|error| error.to_string().replace(&name, "FILE"))
    }

    const TABLE: &str = "CREATE TABLE url (id INTEGER PRIMARY KEY, url VARCHAR(256), count INTEGER);";

    #[test]
    fn each_text_that_names_a_page_is_a_line_with_its_greatest_count() {
        let rows = "INSERT INTO url (url, count) VALUES ('www.example.com/a', 5), ('www.example.com/a', 7), \
                    ('Www.example.com/a', 2), ('https%3A%2F%2Fexample.com%2Fb', 3), ('example.com/\u{e9} \"x\"', 1), \
                    ('alert(1)', 9), ('8080/a', 1), ('', 4), ('/p', 1), ('someone@example.com', 1), \
                    (NULL, 1), (NULL, NULL), (NULL, -1.5);";
        let (found, lines) = read(&[TABLE, rows].concat()).expect("pages");
        assert_eq!(
            lines,
            "{\"page\":\"www.example.com/a\",\"value\":2}\n{\"page\":\"example.com/%C3%A9%20%22x%22\",\"value\":1}\n\
             {\"page\":\"example.com/b\",\"value\":3}\n{\"page\":\"www.example.com/a\",\"value\":7}\n"
        );
        assert_eq!((found.lines, found.left_out), (4, 5));
        assert_eq!(found.first_left_out, ["", "/p", "8080/a"]);
        assert_eq!(read(TABLE).expect("no pages"), (HitCounterPages::default(), String::new()));
    }

    #[test]
    fn other_files_are_refused() {
        let other =
            "FILE has no table url with the columns url and count, so it is no database of the hit-counter";
        let count = "nothing is stored: row 7 of the table url in FILE has no count that a page can have";
        let text = "nothing is stored: row 7 of the table url in FILE has bytes that are no text";
        for (sql, expected) in [
            ("CREATE TABLE other (a)".to_owned(), other),
            ("CREATE TABLE url (url)".to_owned(), other),
            ("CREATE TABLE a (url, count); CREATE VIEW url AS SELECT * FROM a".to_owned(), other),
            (format!("{TABLE} INSERT INTO url VALUES (7, 'example.com', -1)"), count),
            (format!("{TABLE} INSERT INTO url VALUES (7, 'example.com', NULL)"), count),
            (format!("{TABLE} INSERT INTO url VALUES (7, 'example.com', 1.5)"), count),
            (format!("{TABLE} INSERT INTO url VALUES (7, 'example.com', 9007199254740992)"), count),
            (format!("{TABLE} INSERT INTO url VALUES (9, 'b', -1), (8, NULL, -1), (7, 'a', -1)"), count),
            (format!("{TABLE} INSERT INTO url VALUES (7, x'00', 1)"), text),
            (
                "PRAGMA application_id = 0x6c697665; CREATE TABLE url (url, count)".to_owned(),
                "FILE is a database of livecounter: `livecounter export` writes the lines that an import reads",
            ),
        ] {
            assert_eq!(read(&sql), Err(expected.to_owned()), "{sql}");
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), [BEGINNING, &[7; 5_000]].concat()).expect("written");
        let refused = write_hit_counter_pages(file.path(), &mut Vec::new()).expect_err("no database");
        assert!(refused.to_string().contains("as an SQLite database: file is not a database"), "{refused}");
    }

    #[test]
    fn what_a_running_hit_counter_has_not_moved_into_its_file_is_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("data.db");
        let running = Connection::open(&path).expect("a new file");
        let rows = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;";
        running
            .execute_batch(&[rows, TABLE, "INSERT INTO url VALUES (1, 'example.com/a', 5)"].concat())
            .expect("SQL");
        let bytes = || {
            ["", "-wal"].map(|ending| std::fs::read(format!("{}{ending}", path.display())).expect("a file"))
        };
        let before = bytes();
        let mut lines = Vec::new();
        write_hit_counter_pages(&path, &mut lines).expect("pages");
        assert_eq!(lines, b"{\"page\":\"example.com/a\",\"value\":5}\n");
        assert_eq!(bytes(), before);
    }
}
