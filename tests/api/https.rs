//! The program speaks TLS with Fanout and the purge API. Its environment decides which authorities it trusts.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::program::Program;
use crate::support::certificates::certificates;
use crate::support::http::metric;
use crate::support::raw::{header, read_request};
use crate::support::server::Server;
use crate::support::wait::until;

/// A stand-in for api.fastly.com, which accepts publishes and purges.
pub(crate) struct Api {
    pub(crate) url: String,
    certificates: TempDir,
    /// The heads of the requests.
    seen: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Api {
    pub(crate) async fn start() -> Api {
        let certificates = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://localhost:{}", listener.local_addr().expect("its address").port());
        let acceptor = acceptor(certificates.path());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(note(stream, acceptor.clone(), Arc::clone(&shared)));
            }
        });
        Api { url, certificates, seen, serving }
    }

    /// An origin that publishes and purges here, and trusts only this authority.
    fn origin(&self, directory: &Path, authority: &str) -> Program {
        let environment = [
            ("GRIP_URL", format!("{}/service/SID?key=TOKEN", self.url)),
            ("FASTLY_SERVICE_ID", "SID".to_owned()),
            ("FASTLY_API_KEY", "hush".to_owned()),
            ("LIVECOUNTER__FASTLY__API_URL", self.url.clone()),
            ("SSL_CERT_FILE", self.certificates.path().join(authority).display().to_string()),
        ];
        Program::start(directory, &environment.each_ref().map(|(name, value)| (*name, value.as_str())))
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("the list").clone()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Notes the heads of the requests of one connection, and answers each with 200.
async fn note(stream: TcpStream, acceptor: TlsAcceptor, seen: Arc<Mutex<Vec<String>>>) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    while let Some((head, _)) = read_request(&mut stream).await {
        seen.lock().expect("the list").push(head);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    }
}

fn acceptor(place: &Path) -> TlsAcceptor {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = CertificateDer::from_pem_file(place.join("server.crt")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(place.join("server.key")).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    TlsAcceptor::from(Arc::new(config.expect("a certificate and its key")))
}

#[tokio::test]
async fn servers_with_trusted_certificates_get_publishes_and_purges_over_tls() {
    let (api, directory) = (Api::start().await, tempfile::tempdir().expect("a directory"));
    let program = api.origin(directory.path(), "ca.crt");
    program.add("2").await;
    until("a purge, a publish and the second purge", async || api.seen().len() >= 3).await;
    let seen = api.seen();
    let told = |head: &str, name| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        format!("{path} {}", header(head, name))
    };
    assert_eq!(told(&seen[0], "fastly-key"), "/service/SID/purge hush");
    assert_eq!(told(&seen[1], "authorization"), "/service/SID/publish/ Bearer TOKEN");
    assert_eq!(told(&seen[2], "surrogate-key"), "/service/SID/purge counter-2");
}

#[tokio::test]
async fn servers_with_untrusted_certificates_get_no_request() {
    let (api, directory) = (Api::start().await, tempfile::tempdir().expect("a directory"));
    let program = api.origin(directory.path(), "other-ca.crt");
    let answer = program.post("/counters/2/").await;
    assert_eq!(answer.status(), 200, "it counts all the same");
    let endpoint = api.url.trim_start_matches("https://");
    let published = format!("livecounter_endpoint_failures_total{{endpoint=\"{endpoint}/service/SID\"}} ");
    until("a purge and a publish that have failed", async || {
        let failures = async |name| metric(&program.url(""), name).await.expect("the count");
        failures("livecounter_purge_failures_total ").await > 0.0 && failures(&published).await > 0.0
    })
    .await;
    assert_eq!(api.seen(), Vec::<String>::new());
}
