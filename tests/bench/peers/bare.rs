//! Two servers in another process of this executable: bare actix-web, whose handlers do nothing, which shows the most that
//! actix-web can serve; and an origin with fixed hold answers for a Pushpin to which the measurement publishes itself.

use std::env;

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Result;
use tempfile::TempDir;

use super::Peer;
use crate::http::{Client, request};
use crate::process::{Server, free_port};

/// The channel of every hold answer of the origin with fixed answers.
pub(crate) const CHANNEL: &str = "by-hand";

/// Starts the bare handlers.
pub(crate) fn start() -> Result<Peer> {
    let port = free_port()?;
    let directory = tempfile::tempdir()?;
    let server = spawn(port, &directory)?;
    let mut client = Client::new(port);
    let server = server.ready(|| client.demand(&request("GET", "/counters/1/", &[], "")).is_ok())?;
    Ok(Peer { server, port, _directory: directory })
}

/// Starts the handlers on a given port, without waiting until they serve.
pub(super) fn spawn(port: u16, directory: &TempDir) -> Result<Server> {
    let arguments = ["--peer", &port.to_string()];
    Server::start("bare", &env::current_exe()?, arguments, &[], directory.path())
}

/// Runs the child process.
pub(crate) fn serve(port: u16) -> Result<()> {
    let app = || {
        App::new()
            .route("/counters/{id}/", web::get().to(answer))
            .route("/counters/{id}/", web::post().to(answer))
            .route("/hold/", web::get().to(hold))
    };
    let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", port))?;
    Ok(actix_web::rt::System::new().block_on(server.run())?)
}

async fn answer() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("1\n")
}

async fn hold() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Grip-Hold", "stream"))
        .insert_header(("Grip-Channel", CHANNEL))
        .insert_header(("Grip-Keep-Alive", ":\\n\\n; format=cstring; timeout=20"))
        .body("data: 0\n\n")
}
