//! The database and what stands beside it belong to their owner alone: whoever else may read or change them on this machine
//! would need no key for it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Read and written by the owner.
const OWNER_ONLY: u32 = 0o600;

/// What SQLite and the lock put beside a database. SQLite gives its own files the mode of the database.
const BESIDE: [&str; 4] = ["-lock", "-wal", "-shm", "-journal"];

/// Opens a file for reading and writing, or creates it for its owner alone, whatever the umask is. The mode of a file that
/// exists is left as it is: it may be another program's.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    let options = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(OWNER_ONLY);
        options
    };
    match options().create_new(true).open(path) {
        Ok(file) => {
            // The umask may have taken the owner's rights, too. Where the file system knows no modes, there is nothing to set.
            let _ = file.set_permissions(Permissions::from_mode(OWNER_ONLY));
            Ok(file)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => options().create(true).open(path),
        Err(error) => Err(error),
    }
}

/// The path of what stands beside a database.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Takes a database of ours and what stands beside it from everybody but their owner, and says so where that changes anything: an
/// earlier version made files that everybody could read.
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
