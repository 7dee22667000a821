//! The service among the real servers: Pushpin, the cache, Redis.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod admin_pages;
mod analytics_routes;
mod badges;
mod cache;
mod cached_counters;
mod chain;
mod counter_lists;
mod counters;
mod edge;
mod element;
mod feeds;
mod foreign;
mod front;
mod head;
mod hits;
mod limits;
mod live_hits;
mod managing;
mod origin;
mod private_streams;
mod pushpin;
mod scale;
mod site;
mod smuggling;
mod topic_lists;
mod up;
mod verify;
