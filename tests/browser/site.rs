//! Another site: a few files on an origin of its own.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(crate) type Files = HashMap<String, Vec<u8>>;

/// Serves the files, by path with the leading slash, and returns the site's address. The server ends with the test.
pub(crate) async fn serve(files: Files) -> String {
    serve_with(files, String::new()).await
}

/// The same with these header fields on each answer, each with its line end.
pub(crate) async fn serve_with(files: Files, fields: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let shared = Arc::new((files, fields));
    tokio::spawn(async move {
        while let Ok((browser, _)) = listener.accept().await {
            tokio::spawn(answer(browser, Arc::clone(&shared)));
        }
    });
    format!("http://{address}")
}

/// Everything in a directory, as [`serve`] takes it; `index.html` is `/` too.
pub(crate) fn files_in(directory: &Path) -> Files {
    let mut files = Files::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let name = path.strip_prefix(directory).expect("it is inside").display().to_string();
            let content = std::fs::read(&path).expect("a file");
            if name == "index.html" {
                files.insert("/".to_owned(), content.clone());
            }
            files.insert(format!("/{name}"), content);
        }
    }
    files
}

async fn answer(browser: TcpStream, shared: Arc<(Files, String)>) {
    let (files, fields) = &*shared;
    let mut browser = BufReader::new(browser);
    let mut request = String::new();
    let mut line = String::new();
    while browser.read_line(&mut line).await.is_ok_and(|length| length > 2) {
        if request.is_empty() {
            request.clone_from(&line);
        }
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, content) = match files.get(path) {
        Some(content) => ("200 OK", content.as_slice()),
        None => ("404 Not Found", &b"nothing here"[..]),
    };
    let kind = match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        _ => "text/html; charset=utf-8",
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{fields}connection: close\r\n\r\n",
        content.len()
    );
    // An error only says that the browser has closed the connection.
    let _ = browser.write_all(&[head.as_bytes(), content].concat()).await;
}
