//! Keeps the database and the files beside it for their owner alone. A user of this machine with access to these files could read
//! and change topics without a key of this service.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The mode of a file that only its owner may read and write.
const OWNER_ONLY: u32 = 0o600;

/// How the names of the files beside a database end. SQLite gives its own files the mode of the database.
const BESIDE: [&str; 4] = ["-lock", "-wal", "-shm", "-journal"];

/// Opens a file for reading and writing, or creates it for its owner alone, whatever the umask is. The mode of a file that
/// exists stays as it is, since the file may belong to another program.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    let options = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(OWNER_ONLY);
        options
    };
    match options().create_new(true).open(path) {
        Ok(file) => {
            // The umask may have removed rights of the owner, too. If the file system has no modes, the call fails, and that does
            // no harm.
            let _ = file.set_permissions(Permissions::from_mode(OWNER_ONLY));
            Ok(file)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => options().create(true).open(path),
        Err(error) => Err(error),
    }
}

/// The path of a file beside a database.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Takes all rights but those of the owner from a database of this program and the files beside it, and logs each file whose mode
/// this changes: an earlier version created files that every user could read.
pub(super) fn keep(database: &Path) {
    let companions = BESIDE.map(|suffix| beside(database, suffix));
    for path in [database.to_owned()].iter().chain(&companions) {
        let Ok(metadata) = fs::metadata(path) else { continue };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & !OWNER_ONLY == 0 {
            continue;
        }
        let changed = fs::set_permissions(path, Permissions::from_mode(mode & OWNER_ONLY));
        let path = path.display();
        match changed {
            Ok(()) => tracing::warn!(
                "{path} was open to other users (mode {mode:o}); now its owner alone can use it"
            ),
            Err(error) => tracing::warn!(
                "{path} is open to other users (mode {mode:o}), which cannot be changed: {error}"
            ),
        }
    }
}
