//! Certificates that only tests trust.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Two authorities, `ca.crt` and `other-ca.crt`, and a certificate for localhost and for counters.example.com from the first: `server.crt`, with
/// `server.key`.
pub fn certificates() -> TempDir {
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
    std::fs::write(
        place.join("names"),
        "subjectAltName=DNS:localhost,DNS:counters.example.com,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
    )
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
