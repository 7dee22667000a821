//! The pages in a real Chromium, against the real service, as visitors see them.

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod admin_reach;
mod analytics;
mod badges;
mod busuanzi;
mod chain;
mod charts;
mod chromium;
mod connection;
mod countapi;
mod element;
mod elsewhere;
mod foreign_pages;
mod front;
mod hits;
mod home;
mod http;
mod many_tabs;
mod npm;
mod package;
mod page_lives;
mod public_site;
mod relay;
mod screenshots;
mod site;
mod site_analytics;
mod tabs;
mod tls;
mod tool;
mod traffic;
mod visits;
