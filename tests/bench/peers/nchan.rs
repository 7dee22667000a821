//! nginx with nchan and one worker: messages come by HTTP, and subscribers receive them as SSE.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use super::Peer;
use crate::http::{Client, request};
use crate::pages::COUNTERS;
use crate::process::{Server, free_port, locate, open_files};

const PACKAGES: &str = "nginx libnginx-mod-nchan";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// The path to which subscribers connect.
pub(crate) const STREAM: &str = "/stream";

/// The path to which messages are POSTed.
pub(crate) const PUBLISH: &str = "/publish";

/// Subscribers of all channels of a page connect here.
pub(crate) const STREAM_OF_MANY: &str = "/stream-of-many";

/// Messages for one of them are POSTed here, with its number behind.
pub(crate) const PUBLISH_ONE_OF_MANY: &str = "/publish-one-of-many/";

/// Subscribers of a channel that keeps as many messages as a feed connect here.
pub(crate) const STREAM_OF_FEED: &str = "/stream-of-feed";

/// Messages for that channel are POSTed here.
pub(crate) const PUBLISH_TO_FEED: &str = "/publish-to-feed";

/// Starts nginx with one channel, and with as many as a page has.
pub(crate) fn start() -> Result<Peer> {
    let program = locate("nginx", PACKAGES)?;
    if !Path::new(MODULE).is_file() {
        bail!("nchan is not installed: apt-get install {PACKAGES}");
    }
    let port = free_port()?;
    let directory = tempfile::tempdir()?;
    let home = directory.path();
    let configuration = home.join("nginx.conf");
    fs::write(&configuration, configure(port, home)?)?;
    let arguments =
        [Path::new("-p"), home, Path::new("-c"), &configuration, Path::new("-e"), &home.join("error.log")];
    let server = Server::start("nginx", &program, arguments, &[], home)?;
    let mut client = Client::new(port);
    let server = server.ready(|| client.send(&request("GET", "/", &[], "")).is_ok())?;
    Ok(Peer { server, port, _directory: directory })
}

fn configure(port: u16, home: &Path) -> Result<String> {
    let (connections, home) = (open_files()? - 100, home.display());
    let many: Vec<String> = (0..COUNTERS).map(|channel| format!("many{channel}")).collect();
    let many = many.join(",");
    Ok(format!(
        "load_module {MODULE};
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = {STREAM} {{ nchan_subscriber eventsource; nchan_channel_id bench; nchan_subscriber_first_message newest; }}
    location = {STREAM_OF_MANY} {{ nchan_subscriber eventsource; nchan_channel_id \"{many}\"; nchan_channel_id_split_delimiter \",\"; nchan_subscriber_first_message newest; }}
    location ~ ^{PUBLISH_ONE_OF_MANY}(\\d+)$ {{ nchan_publisher; nchan_channel_id many$1; }}
    location = {STREAM_OF_FEED} {{ nchan_subscriber eventsource; nchan_channel_id feed; nchan_subscriber_first_message newest; }}
    location = {PUBLISH_TO_FEED} {{ nchan_publisher; nchan_channel_id feed; nchan_message_buffer_length 1000; }}
    location = {PUBLISH} {{ nchan_publisher; nchan_channel_id bench; }}
  }}
}}
"
    ))
}
