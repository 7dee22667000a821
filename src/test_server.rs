//! An HTTP server for the unit tests of clients: keeps every request and answers what the test says. Like Pushpin's
//! control server it demands a `Content-Length` and closes each connection after its answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came: header names in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) enum Answer {
    /// Status, extra header lines (each with its line break), body.
    Status(u16, &'static str, &'static str),
    /// Reads the request and says nothing.
    Silence,
    /// Reads the request and closes the connection.
    Hangup,
}

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl TestServer {
    pub(crate) async fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at(FreeAddress::reserve(), answer).await
    }

    pub(crate) async fn start_at(
        address: FreeAddress,
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let FreeAddress { socket, address } = address;
        let listener = socket.listen(1024).expect("to listen");
        let (answer, requests) = (Arc::new(answer), Arc::new(Mutex::new(Vec::new())));
        let kept = requests.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, kept) = (answer.clone(), kept.clone());
                tokio::spawn(serve(stream, move |request: Request| {
                    let answer = answer(&request);
                    kept.lock().expect("unpoisoned").push(request);
                    answer
                }));
            }
        });
        TestServer { address, requests, task }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("unpoisoned").clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An address where nothing listens until a test server does. Nobody else gets its port meanwhile.
pub(crate) struct FreeAddress {
    socket: TcpSocket,
    pub(crate) address: SocketAddr,
}

impl FreeAddress {
    pub(crate) fn reserve() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = socket.local_addr().expect("an address");
        FreeAddress { socket, address }
    }
}

/// Reads the request line and the headers; `None` if the client closes before their end.
async fn read_head(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line).await {
            Ok(n) if n > 0 && line != "\r\n" => lines.push(line.trim_end().to_owned()),
            Ok(n) if n > 0 => return Some(lines),
            _ => return None,
        }
    }
}

async fn serve(stream: TcpStream, answer: impl Fn(Request) -> Answer) {
    let mut stream = BufReader::new(stream);
    let Some(lines) = read_head(&mut stream).await else { return };
    let header = |line: &String| {
        let (name, value) = line.split_once(':').expect("a header line");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let mut request = Request {
        line: lines[0].clone(),
        headers: lines[1..].iter().map(header).collect(),
        body: String::new(),
    };
    let length = request.header("content-length").and_then(|text| text.parse().ok());
    let answer = match length {
        Some(length) => {
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.expect("the body");
            request.body = String::from_utf8(body).expect("text");
            answer(request)
        }
        None => Answer::Status(411, "", ""),
    };
    match answer {
        Answer::Status(status, headers, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
            );
            // An error only says that the client has closed the connection.
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
        Answer::Silence => std::future::pending().await,
        Answer::Hangup => {}
    }
}
