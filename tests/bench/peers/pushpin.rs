//! Pushpin in front of an origin, with the limits of pushpin/pushpin.conf and with a directory of its own for all of its processes.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;
use tempfile::TempDir;

use super::{Peer, bare};
use crate::http::{Client, request};
use crate::process::{Server, free_port, locate, open_files};

/// The key with which Pushpin signs its requests.
pub(crate) const KEY: &str = "signing-key-of-this-measurement-only";

/// A Pushpin and its control port.
pub(crate) struct Pushpin {
    pub(crate) peer: Peer,
    pub(crate) control: u16,
}

/// Starts Pushpin in front of an origin that may start later.
pub(crate) fn start(origin: u16) -> Result<Pushpin> {
    let program = locate("pushpin", "pushpin")?;
    locate("condure", "pushpin")?;
    locate("zurl", "pushpin")?;
    let (port, control) = (free_port()?, free_port()?);
    let directory = tempfile::tempdir()?;
    let home = directory.path();
    fs::write(home.join("routes"), format!("* 127.0.0.1:{origin}\n"))?;
    let configuration = home.join("pushpin.conf");
    fs::write(&configuration, configure(port, control, home)?)?;
    let argument = format!("--config={}", configuration.display());
    let server = Server::start("pushpin", &program, [argument], &[], home)?;
    // Pushpin serves when it answers, even if the answer is that the origin is away.
    let serves = || Client::new(port).send(&request("GET", "/healthz", &[], "")).is_ok();
    let server =
        server.ready(serves)?.ready(|| Client::new(control).send(&request("GET", "/", &[], "")).is_ok())?;
    Ok(Pushpin { peer: Peer { server, port, _directory: directory }, control })
}

fn configure(port: u16, control: u16, home: &Path) -> Result<String> {
    let (connections, home) = (open_files()? - 500, home.display());
    Ok(format!(
        "[global]
include={{libdir}}/internal.conf
rundir={home}
ipc_prefix=bench-
port_offset=0

[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:{port}
logdir={home}
log_level=1
client_maxconn={connections}

[proxy]
routesfile={home}/routes
sig_iss=pushpin
sig_key={KEY}
updates_check=off
zurl_out_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-in
zurl_out_stream_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-in-stream
zurl_in_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-out

[handler]
push_in_spec=ipc://{{rundir}}/{{ipc_prefix}}push-in
push_in_sub_specs=ipc://{{rundir}}/{{ipc_prefix}}push-in-sub
push_in_http_addr=127.0.0.1
push_in_http_port={control}
command_spec=ipc://{{rundir}}/{{ipc_prefix}}command
message_rate=0
message_hwm=1000000
message_wait=300
"
    ))
}

/// Pushpin in front of an origin with fixed answers. The measurement publishes to it.
pub(crate) struct ByHand {
    pub(crate) pushpin: Pushpin,
    _origin: Server,
    _directory: TempDir,
}

impl ByHand {
    /// Starts Pushpin and the origin.
    pub(crate) fn start() -> Result<Self> {
        let (port, directory) = (free_port()?, tempfile::tempdir()?);
        let origin = bare::spawn(port, &directory)?;
        let mut client = Client::new(port);
        let origin = origin.ready(|| client.demand(&request("GET", "/hold/", &[], "")).is_ok())?;
        Ok(ByHand { pushpin: start(port)?, _origin: origin, _directory: directory })
    }

    /// Publishes the next number with each call, and returns it.
    pub(crate) fn publisher(&self) -> impl FnMut() -> Result<i64> + use<> {
        let (control, mut published) = (self.pushpin.control, 0);
        move || {
            let previous = published.to_string();
            published += 1;
            let content = format!("id: {published}\nevent: message\ndata: {published}\n\n");
            let item = json!({
                "channel": bare::CHANNEL, "id": published.to_string(), "prev-id": previous,
                "formats": { "http-stream": { "content": content } },
            });
            let body = json!({ "items": [item] }).to_string();
            let fields = ["Content-Type: application/json".to_owned()];
            // Pushpin's control server closes every connection after its answer.
            Client::new(control).demand(&request("POST", "/publish/", &fields, &body))?;
            Ok(published)
        }
    }
}
