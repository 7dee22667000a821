//! The contract of the stores, run on every store with real servers, and the properties that only one of them has.

mod contract;
mod cut;
mod history;
mod keys;
mod pruning;
mod pruning_past;
mod pruning_routes;
mod pruning_visitors;
mod redis_clock;
mod redis_cluster;
mod redis_cluster_routes;
mod redis_direct;
mod redis_eviction;
mod redis_feeds;
mod redis_foreign;
mod redis_history;
mod redis_login;
mod redis_one;
mod redis_outage;
mod redis_schema;
mod redis_sentinel;
mod redis_tls;
mod redis_version_2;
mod redis_visitor_sets;
mod redis_wait;
mod restored_pasts;
mod sqlite;
mod sqlite_file;
mod sqlite_schema;
#[path = "../support/mod.rs"]
mod support;
mod version_1_data;
