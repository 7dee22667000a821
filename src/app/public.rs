//! What the settings lack for an address that the public can reach.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::grip::Endpoint;
use crate::settings::Settings;

/// A setting that is missing for a public address, or that is too wide for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The key of the setting.
    pub key: &'static str,
    /// The reason, what to set, and the document that explains it.
    pub advice: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.advice)
    }
}

/// The document that explains the limits and the proxies in front.
const LIMITS: &str = "docs/limits.md";
/// The document that shows the whole way to a public address.
const SITE: &str = "docs/your-site.md";
/// The document of all settings.
const CONFIGURATION: &str = "docs/configuration.md";

/// From this amount in one request on, the range of amounts is too wide for clients without a key.
const WIDE: i64 = 1000;

/// Directories whose files do not last.
const TEMPORARY: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run"];

/// Returns what the settings lack if the public reaches the service that listens on this address: directly where it is not a loopback
/// address, else through a proxy. The list is in the order of the documentation.
pub(super) fn missing(settings: &Settings, address: SocketAddr, endpoints: &[Endpoint]) -> Vec<Missing> {
    let is_local = is_loopback(address.ip());
    let mut found = List(Vec::new());
    proxies(settings, address, &mut found);
    writing(settings, &mut found);
    if settings.redis_url.is_none() && settings.limits.streams.is_none() {
        let advice = "one client may hold any number of streams: set limits.streams = \"50\"";
        found.add("limits.streams", advice, LIMITS);
    }
    operators(settings, &mut found);
    keys(settings, is_local, &mut found);
    if endpoints.iter().any(|endpoint| endpoint.verify_key().is_none()) {
        let advice = "a proxy has no verify key, so any client that sends a Grip-Sig is taken for the proxy: set GRIP_VERIFY_KEY";
        found.add("grip.verify_key", advice, CONFIGURATION);
    }
    files(settings, &mut found);
    found.0
}

/// The missing settings that were found so far.
struct List(Vec<Missing>);

impl List {
    fn add(&mut self, key: &'static str, advice: impl fmt::Display, document: &str) {
        self.0.push(Missing { key, advice: format!("{advice} ({document})") });
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Finds what is missing between the clients and the service: TLS, and the address of each client.
fn proxies(settings: &Settings, address: SocketAddr, found: &mut List) {
    let trusted = &settings.limits.trusted_proxies;
    let has_proxy = settings.grip_url.is_some() || settings.fastly_service_id.is_some();
    let is_local = is_loopback(address.ip());
    if trusted.is_empty() && (is_local || has_proxy) {
        let advice = "all clients of a proxy in front count as one client: name the proxy, on this machine trusted_proxies = \
                      [\"127.0.0.1\", \"::1\"]";
        found.add("trusted_proxies", advice, LIMITS);
    } else if trusted.is_empty() {
        let advice = format!(
            "clients reach {address} without TLS, so anyone on the way can read keys and sessions, and pages of https cannot use the \
             service: put Caddy or nginx in front, with listen = \"127.0.0.1:8000\" and trusted_proxies"
        );
        found.add("listen", advice, SITE);
    }
    if trusted.trust_all() {
        let advice = "names all addresses, so a client can pretend to be any other and has no limit: name the proxy alone";
        found.add("trusted_proxies", advice, LIMITS);
    }
}

/// Finds what is missing where clients without a key may write.
fn writing(settings: &Settings, found: &mut List) {
    let limits = &settings.limits;
    if limits.writes.is_none() {
        let advice = "one client may send any number of requests that write: set limits.writes = \"50/s\"";
        found.add("limits.writes", advice, LIMITS);
    }
    if !settings.access.write.leave_some_open() {
        return;
    }
    let (least, greatest) = (limits.amounts.least(), limits.amounts.greatest());
    if least <= -WIDE || greatest >= WIDE {
        let advice = format!(
            "a client without a key may add {least} to {greatest} in one request: set access.amounts = \"1..1\", or access.write = \"key\""
        );
        found.add("access.amounts", advice, LIMITS);
    }
    // Where all counters are known and no page is counted, clients without a key begin nothing new.
    if settings.counters_known.is_none() || settings.hits.is_some() {
        if limits.new_topics.is_none() {
            let advice = "one client may begin any number of counters, which stay for ever: set limits.new_topics = \"100/h\"";
            found.add("limits.new_topics", advice, LIMITS);
        }
        if limits.topics.is_none() {
            let advice = "all clients together may fill the disk or the memory with counters: set limits.topics = 1000000";
            found.add("limits.topics", advice, LIMITS);
        }
    }
    if settings.hits.as_ref().is_some_and(|hits| hits.allow.is_empty()) {
        let advice = "every site may count its pages here: set hits.allow to yours, such as ['^(www\\.)?example\\.com(/|$)'], or \
                      hits.enabled = false";
        found.add("hits.allow", advice, CONFIGURATION);
    }
}

/// Finds numbers for operators that the public can read. A cache that is purged does not pass them on.
fn operators(settings: &Settings, found: &mut List) {
    if settings.fastly_service_id.is_some() {
        return;
    }
    match settings.ops_listen.map(|ops| (ops, ops.ip().to_canonical())) {
        None => {
            let advice = "/metrics is on the address of the public: set ops.listen = \"127.0.0.1:9090\", and it is there alone";
            found.add("ops.listen", advice, SITE);
        }
        Some((ops, ip)) if !is_inside(ip) => {
            let advice = format!(
                "{ops} may be reached by the public, and has /metrics: name an address that only operators reach"
            );
            found.add("ops.listen", advice, SITE);
        }
        Some(_) => {}
    }
}

/// Whether this address is one of this machine alone or of a private network.
fn is_inside(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Finds where keys are needed and there are none.
fn keys(settings: &Settings, is_local: bool, found: &mut List) {
    let access = &settings.access;
    if !access.keys.is_empty() || access.tickets.is_some() {
        return;
    }
    if !access.write.are_open() {
        let advice = "access.write asks for a key and there is none, so no client may write there: livecounter key new";
        found.add("keys", advice, CONFIGURATION);
    } else if is_local && settings.limits.trusted_proxies.is_empty() {
        let advice = "there is none, so a request that seems to come from this machine may do everything, as one of a proxy here may: \
                      livecounter key new admin --scope admin";
        found.add("keys", advice, CONFIGURATION);
    }
}

/// Finds files that do not last, or that others may read.
fn files(settings: &Settings, found: &mut List) {
    if settings.redis_url.is_none() {
        let path = std::path::absolute(&settings.sqlite_path).unwrap_or_default();
        let temporary = std::env::temp_dir();
        if TEMPORARY.iter().map(Path::new).chain([temporary.as_path()]).any(|place| path.starts_with(place)) {
            let advice = format!(
                "{} is in a directory for temporary files, which the system empties: set another, such as \
                 /var/lib/livecounter/livecounter.db",
                path.display()
            );
            found.add("sqlite.path", advice, SITE);
        }
    }
    let Some((key, file)) = settings.secret_in_file() else { return };
    // A file that cannot be examined any more is no open file.
    let mode = std::fs::metadata(file).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o007 != 0 {
        let file = file.display();
        let advice =
            format!("every user of this machine may read or change {file}, which has it: chmod 600 {file}");
        found.add(key, advice, SITE);
    }
}
