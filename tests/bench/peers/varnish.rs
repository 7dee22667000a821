//! Varnish in the place of Fastly's cache, with the configuration that deployments use.

use std::env;
use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use super::Peer;
use crate::http::{Client, request};
use crate::process::{Server, free_port, locate};

/// The key that purges must have.
pub(crate) const API_KEY: &str = "api-key-of-this-measurement-only";

/// A cache and its port for purges.
pub(crate) struct Varnish {
    pub(crate) peer: Peer,
    pub(crate) control: u16,
}

/// Starts the cache in front of origins that may start later.
pub(crate) fn start(origins: &[u16]) -> Result<Varnish> {
    locate("varnishd", "varnish varnish-modules")?;
    let (port, control) = (free_port()?, free_port()?);
    let directory = tempfile::tempdir()?;
    let home = directory.path();
    let mut arguments: Vec<OsString> = vec!["--dir".into(), home.join("run").into()];
    for (option, port) in [("--public", port), ("--control", control)] {
        arguments.extend([option.into(), format!("127.0.0.1:{port}").into()]);
    }
    arguments.extend(origins.iter().map(|port| format!("127.0.0.1:{port}").into()));
    let environment = [
        ("FASTLY_API_KEY", API_KEY.to_owned()),
        ("CACHE_MEMORY", "32m".to_owned()),
        ("PATH", env::var("PATH").unwrap_or_default() + ":/usr/sbin"),
    ];
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("fastly/start");
    let server = Server::start("varnish", &program, arguments, &environment, home)?;
    let mut client = Client::new(control);
    let server = server.ready(|| client.demand(&request("GET", "/healthz", &[], "")).is_ok())?;
    Ok(Varnish { peer: Peer { server, port, _directory: directory }, control })
}
