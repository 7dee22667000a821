//! The service as it comes, on Redis, with keys, and with settings that leave something out.

use crate::support::app::TestApp;
use crate::support::deployment::Deployment;
use crate::support::http::{Ask, client};
use crate::support::verify::{PATIENT, verify, verify_with};

/// A key that may add to counters whose ids begin with `verify`, as `livecounter key new` prints it.
const SECRET: &str = "lc_0m86rfs7_a-secret-of-a-test";

async fn value(app: &TestApp, id: &str) -> String {
    client().get(app.counter(id)).text().await
}

#[tokio::test]
async fn all_is_well_with_a_service_as_it_comes_and_two_are_added() {
    let app = TestApp::spawn().await;
    for expected in ["2\n", "4\n"] {
        verify(&app.address, &PATIENT).await.assert_all_ok();
        assert_eq!(value(&app, "verify").await, expected);
    }
    let other = [&PATIENT[..], &["--counter", "other"]].concat();
    verify(&format!("{}/", app.address), &other).await.assert_all_ok();
    assert_eq!((value(&app, "verify").await, value(&app, "other").await), ("4\n".into(), "2\n".into()));
    let list = client().get(format!("{}/nocount/top?of=pages", app.address)).text().await;
    assert!(!list.contains("verify"), "{list}");
}

#[tokio::test]
async fn read_only_adds_nothing() {
    let app = TestApp::spawn().await;
    let verified = verify(&app.address, &[&PATIENT[..], &["--read-only"]].concat()).await;
    assert_eq!(verified.status, Some(0), "{verified:?}");
    for check in ["add", "live", "cache", "repeat"] {
        verified.assert_line(check, "skipped", &["--read-only"]);
    }
    verified.assert_line("reconnect", "ok", &["is at 0"]);
    assert_eq!(value(&app, "verify").await, "0\n");
}

#[tokio::test]
async fn origins_on_redis_without_a_proxy_have_no_streams() {
    let two = Deployment::two_origins(&[]).await;
    let verified = verify(&two.address, &PATIENT).await;
    assert_eq!(verified.status, Some(1), "{verified:?}");
    verified.assert_line("stream", "failed", &["501", "GRIP proxy", "docs/deploy.md"]);
    for check in ["read", "errors", "cors", "head", "add", "cache", "repeat"] {
        verified.assert_line(check, "ok", &[]);
    }
    for check in ["list", "live", "reconnect"] {
        verified.assert_line(check, "skipped", &["no stream"]);
    }
}

/// The service where adding needs a key, and the secret of a key with the scope `write:counters/verify`.
async fn with_key(scope: &str) -> (TestApp, String) {
    let words = ["key", "new", "checker", "--scope", scope];
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_livecounter")).args(words).output();
    let made = String::from_utf8(made.expect("the program to run").stdout).expect("text");
    let (secret, table) = made.split_once("\n\n").expect("a secret and a table");
    let app = TestApp::with(&[("LIVECOUNTER__ACCESS__WRITE", "key"), ("LIVECOUNTER__KEYS", table)]).await;
    (app, secret.to_owned())
}

#[tokio::test]
async fn a_needed_key_is_taken_from_a_file_or_a_variable() {
    let (app, secret) = with_key("write:counters/verify").await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("{secret}\n")).expect("to write");
    let in_file = [&PATIENT[..], &["--key-file", file.path().to_str().expect("a path")]].concat();
    let verified = verify(&app.address, &in_file).await;
    verified.assert_all_ok();
    assert!(!verified.output.contains(&secret[12..]));
    verify_with(&app.address, &PATIENT, &[("LIVECOUNTER_VERIFY_KEY", &secret)]).await.assert_all_ok();
    let both = verify_with(&app.address, &in_file, &[("LIVECOUNTER_VERIFY_KEY", SECRET)]).await;
    both.assert_all_ok();
}

#[tokio::test]
async fn without_the_key_additions_are_skipped_and_a_wrong_one_fails() {
    let (app, secret) = with_key("write:counters/else").await;
    let none = verify_with(&app.address, &PATIENT, &[("LIVECOUNTER_VERIFY_KEY", "")]).await;
    assert_eq!(none.status, Some(0), "{none:?}");
    none.assert_line("add", "skipped", &["401", "--key-file", "LIVECOUNTER_VERIFY_KEY"]);
    none.assert_line("live", "skipped", &["no addition"]);
    for (key, texts) in [(SECRET, ["401", "not known"]), (&secret, ["403", "write:"])] {
        let wrong = verify_with(&app.address, &PATIENT, &[("LIVECOUNTER_VERIFY_KEY", key)]).await;
        assert_eq!(wrong.status, Some(1), "{wrong:?}");
        wrong.assert_line("add", "failed", &texts);
        assert!(!format!("{wrong:?}").contains(&key[12..]), "{wrong:?}");
    }
}

/// An address that leads to the service and is none of loopback, as that of a tunnel or a balancer for TCP.
fn elsewhere(app: &TestApp) -> String {
    app.address.replace("127.0.0.1", "0.0.0.0")
}

#[tokio::test]
async fn a_service_that_takes_strangers_for_its_own_machine_is_told() {
    let read_only = [&PATIENT[..], &["--read-only"]].concat();
    let app = TestApp::spawn().await;
    let open = verify(&elsewhere(&app), &read_only).await;
    assert_eq!(open.status, Some(1), "{open:?}");
    open.assert_line("private", "failed", &["no keys", "/admin", "trusted_proxies", "docs/configuration.md"]);
    let local = verify(&app.address, &read_only).await;
    local.assert_line("private", "ok", &["this machine may do everything", "make one"]);
    let (app, _) = with_key("write:counters/verify").await;
    for url in [elsewhere(&app), app.address.clone()] {
        verify(&url, &read_only).await.assert_line("private", "ok", &["not told without a key"]);
    }
}

#[tokio::test]
async fn counters_that_settings_leave_out_are_told() {
    let app = TestApp::with(&[("LIVECOUNTER__COUNTERS__KNOWN", "1,2")]).await;
    let unknown = verify(&app.address, &PATIENT).await;
    assert_eq!(unknown.status, Some(1), "{unknown:?}");
    unknown.assert_line("read", "failed", &["404", "counters.known", "--counter"]);
    let known = verify(&app.address, &[&PATIENT[..], &["--counter", "1"]].concat()).await;
    assert_eq!(known.status, Some(0), "{known:?}");
    known.assert_line("list", "skipped", &["counters.known leaves 1-2 out"]);
    known.assert_line("reconnect", "ok", &["is at 2"]);
}

#[tokio::test]
async fn an_address_with_too_much_or_of_the_wrong_scheme_is_told() {
    let app = TestApp::spawn().await;
    for (url, texts) in [
        (app.counter("2"), ["404", "URL has a path"]),
        (app.address.replace("http:", "https:"), ["no answer", "speaks no TLS"]),
    ] {
        let verified = verify(&url, &PATIENT).await;
        assert_eq!(verified.status, Some(1), "{verified:?}");
        verified.assert_line("read", "failed", &texts);
    }
}

#[tokio::test]
async fn limits_that_refuse_an_addition_or_a_stream_are_named() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__TOPICS", "1")]).await;
    assert_eq!(client().post(app.counter("1")).text().await, "1\n");
    let full = verify(&app.address, &PATIENT).await;
    assert_eq!(full.status, Some(1), "{full:?}");
    full.assert_line("add", "failed", &["507", "limits.topics"]);
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__STREAMS", "1")]).await;
    let one = verify(&app.address, &PATIENT).await;
    assert_eq!(one.status, Some(1), "{one:?}");
    one.assert_line("stream", "failed", &["429", "limits.streams"]);
}
