//! Redis behind TLS, with a certificate that the system's trust store vouches for.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{Add, Store};
use tempfile::TempDir;

use crate::support::redis::{RedisServer, free_port};

/// Tells the inner run of this test which port the server has.
const PORT: &str = "LIVECOUNTER_TEST_TLS_PORT";

#[tokio::test]
async fn certificates_are_checked_against_the_trust_store() {
    match std::env::var(PORT) {
        Ok(port) => count_over_tls(&port).await,
        Err(_) => run_with_trust_in_a_new_authority().await,
    }
}

/// The trust store is chosen by the environment, which only a process of its own may set.
async fn run_with_trust_in_a_new_authority() {
    let certificates = certificates();
    let place = certificates.path().display();
    let port = free_port();
    let _server = RedisServer::start_with(&[
        &format!("--tls-port {port}"),
        &format!("--tls-cert-file {place}/server.crt"),
        &format!("--tls-key-file {place}/server.key"),
        &format!("--tls-ca-cert-file {place}/ca.crt"),
        "--tls-auth-clients no",
    ]);
    let inner = |authority: &str| {
        let mut inner = Command::new(std::env::current_exe().expect("this test"));
        inner.args(["--exact", "redis_tls::certificates_are_checked_against_the_trust_store"]);
        inner.env(PORT, port.to_string()).env("SSL_CERT_FILE", certificates.path().join(authority));
        inner.output().expect("this test, once more")
    };
    let trusted = inner("ca.crt");
    assert!(trusted.status.success(), "{}", String::from_utf8_lossy(&trusted.stdout));
    let untrusted = inner("other-ca.crt");
    let text = String::from_utf8_lossy(&untrusted.stdout);
    assert!(!untrusted.status.success() && text.contains("UnknownIssuer"), "{text}");
}

async fn count_over_tls(port: &str) {
    let url = format!("rediss://localhost:{port}");
    let store = RedisStore::connect(&url, Duration::from_secs(2)).expect("a good address");
    let topic: Topic = "counter-tls".parse().expect("a topic");
    for expected in 1..=2 {
        let added = store.add(vec![Add::single(topic.clone(), 1, None)]).await.remove(0);
        assert_eq!(added.expect("counted").value, expected);
    }
}

/// Two authorities, and a certificate for localhost from the first.
fn certificates() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = directory.path();
    for authority in ["ca", "other-ca"] {
        let (key, certificate) = (format!("{authority}.key"), format!("{authority}.crt"));
        let subject = format!("/CN=livecounter test {authority}");
        openssl(
            place,
            &[
                &["req", "-x509", "-days", "2", "-subj", &subject, "-keyout", &key, "-out", &certificate],
                NEW_KEY,
            ]
            .concat(),
        );
    }
    std::fs::write(place.join("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
        .expect("write");
    let request = &["req", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"];
    openssl(place, &[request, NEW_KEY].concat());
    let sign = "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt";
    openssl(place, &sign.split(' ').collect::<Vec<_>>());
    directory
}

const NEW_KEY: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

fn openssl(place: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(place).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("cannot start openssl ({error}): apt-get install openssl"));
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
