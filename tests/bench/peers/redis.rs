//! Redis without persistence. Every row with Redis uses it so.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::Result;

use super::Peer;
use crate::process::{Server, free_port, locate};

/// Starts a Redis server without keys.
pub(crate) fn start() -> Result<Peer> {
    let program = locate("redis-server", "redis-server")?;
    let port = free_port()?;
    let directory = tempfile::tempdir()?;
    let number = port.to_string();
    let arguments = ["--port", &number, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let server = Server::start("redis-server", &program, arguments, &[], directory.path())?;
    let server = server.ready(|| pong(port).unwrap_or(false))?;
    Ok(Peer { server, port, _directory: directory })
}

fn pong(port: u16) -> Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG\r\n")
}
