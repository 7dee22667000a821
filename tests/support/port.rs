//! Ports that no other test uses while a test runs.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Below the range from which the kernel takes ports for outgoing connections, so that no program gets one by chance between
/// the reservation and the start of the server.
const FIRST: u16 = 12_000;
const COUNT: u16 = 16_000;

/// A reserved port on 127.0.0.1. Other tests, of this process or another, get other ports until this one is dropped.
pub struct Port {
    number: u16,
    path: PathBuf,
    _lock: File,
}

impl Port {
    pub fn reserve() -> Port {
        // One directory for each user: a user may not write into the directory of another.
        let user = rustix::process::getuid().as_raw();
        let locks = std::env::temp_dir().join(format!("livecounter-test-ports-{user}"));
        fs::create_dir_all(&locks).expect("a directory for port locks");
        let start = RandomState::new().build_hasher().finish();
        for step in 0..u64::from(COUNT) {
            let number = FIRST
                + u16::try_from((start % u64::from(COUNT) + step) % u64::from(COUNT)).expect("in range");
            let path = locks.join(number.to_string());
            if let Some(lock) = lock(&path)
                && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
            {
                return Port { number, path, _lock: lock };
            }
        }
        panic!("no free port");
    }

    pub fn number(&self) -> u16 {
        self.number
    }

    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // The file is removed while it is locked: see below. If that fails, a file stays behind, which does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// The file at `path`, locked; `None` if another process has locked it. The process that had the lock may have removed the file
/// after this process opened it: then other processes find another file there.
fn lock(path: &Path) -> Option<File> {
    let file = File::create(path).expect("a port's lock file");
    file.try_lock().ok()?;
    let (ours, there) = (file.metadata().ok()?, fs::metadata(path).ok()?);
    (ours.ino() == there.ino()).then_some(file)
}
