//! Ports that are ours alone for as long as a test runs.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Below the range from which the kernel takes ports for outgoing connections, so nobody gets one by chance between
/// the reservation and the start of the server.
const FIRST: u16 = 12_000;
const COUNT: u16 = 16_000;

/// A reserved port on 127.0.0.1. Other tests, of this process or another, get other ones until it is dropped.
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    pub fn reserve() -> Port {
        let locks = std::env::temp_dir().join("livecounter-test-ports");
        fs::create_dir_all(&locks).expect("a directory for port locks");
        let start = RandomState::new().build_hasher().finish();
        for step in 0..u64::from(COUNT) {
            let number = FIRST
                + u16::try_from((start % u64::from(COUNT) + step) % u64::from(COUNT)).expect("in range");
            let lock = File::create(locks.join(number.to_string())).expect("a port's lock file");
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Port { number, _lock: lock };
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
