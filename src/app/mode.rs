//! Describes for the log how the service runs with its settings.

use crate::fastly::Purger;
use crate::grip::Endpoint;
use crate::settings::Settings;
use crate::store::redis::describe;

/// Returns one line without secrets: the store, the part that holds streams, and whether a cache is purged.
pub(super) fn mode(settings: &Settings, endpoints: &[Endpoint], purger: Option<&Purger>) -> String {
    let store = match &settings.redis_url {
        // The URL was checked before, so `describe` cannot fail.
        Some(url) => describe(url.expose()).unwrap_or_default(),
        None => {
            let path = &settings.sqlite_path;
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            format!("the SQLite file {}", path.display())
        }
    };
    let proxies: Vec<&str> = endpoints.iter().map(Endpoint::name).collect();
    let proxies = proxies.join(" and ");
    let streams = match (proxies.is_empty(), settings.redis_url.is_some()) {
        (true, _) => "in this process".to_owned(),
        (false, true) => format!("by {proxies}"),
        (false, false) => format!("by {proxies}, and past it in this process"),
    };
    let purging = match purger {
        Some(_) => format!("on, at {}", settings.fastly_api_url),
        None => "off".to_owned(),
    };
    format!("counters in {store}; streams held {streams}; purging {purging}")
}
