//! Bare actix-web: what a handler costs that does nothing, and so the ceiling; and the origin with fixed hold answers
//! for Pushpin fed by hand. Both are this executable, started once more.

use std::env;

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Result;
use tempfile::TempDir;

use super::Peer;
use crate::http::{Client, request};
use crate::process::{Server, free_port};

/// The channel that every hold answer of the fixed origin subscribes to.
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

/// Starts them on a given port, and does not wait until they serve.
pub(super) fn spawn(port: u16, directory: &TempDir) -> Result<Server> {
    let arguments = ["--peer", &port.to_string()];
    Server::start("bare", &env::current_exe()?, arguments, &[], directory.path())
}

/// The child process.
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
