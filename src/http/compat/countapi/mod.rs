//! CountAPI (`api.countapi.xyz`, gone since 2023): counters that a GET reads and counts. The key `visits` in the namespace
//! `example.com` is the counter `example.com~visits`, which is also listed, streamed and drawn as all others.
//!
//! Abacus, which is like CountAPI, also has badges of its keys; they are answered, too.
//!
//! Bounds and the right to set a counter are not kept for each key, as CountAPI did: `access.amounts`, keys and tickets decide.

mod answer;
mod changes;
mod name;
mod reads;
mod shield;
pub(in crate::http) mod stats;

use super::service_routes::ServiceRoutes;

/// Adds CountAPI's routes.
pub(super) fn routes(routes: &mut ServiceRoutes<'_>) {
    routes.readable("/get/{name}", "/get/{name:[^/]+(?:/[^/]+)?}{slash:/?}", reads::get);
    routes.readable("/hit/{name}", "/hit/{name:[^/]+(?:/[^/]+)?}{slash:/?}", changes::hit);
    routes.readable("/get/{name}/shield", "/get/{name:[^/]+/[^/]+}/shield{slash:/?}", shield::get);
    routes.readable("/hit/{name}/shield", "/hit/{name:[^/]+/[^/]+}/shield{slash:/?}", shield::hit);
    routes.readable("/update/{name}", "/update/{name:[^/]+(?:/[^/]+)?}{slash:/?}", changes::update);
    routes.readable("/set/{name}", "/set/{name:[^/]+(?:/[^/]+)?}{slash:/?}", changes::set);
    routes.readable("/info/{name}", "/info/{name:[^/]+(?:/[^/]+)?}{slash:/?}", reads::info);
    routes.readable("/create", "/create{slash:/?}", changes::create);
    routes.readable("/stats", "/stats{slash:/?}", reads::stats);
}
