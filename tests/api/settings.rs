//! Settings, flags and files that cannot be used: one line that names the key, and status 2.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;

use crate::program::{output, program};

/// An address on which no other program can listen while the returned listener lives.
pub(crate) fn taken() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

/// Environment, arguments, and how the line begins.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str);

/// Every case ends the program with one line and status 2, and the line repeats no secret.
fn refused(cases: &[Case]) {
    // If the settings are accepted, the program ends all the same, with another status.
    let (_listener, taken) = taken();
    for (environment, arguments, expected) in cases {
        let output = output(&[&[("LIVECOUNTER__LISTEN", taken.as_str())], *environment].concat(), arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{environment:?} {arguments:?}: {error}");
        assert!(
            error.starts_with(&format!("livecounter: {expected}")),
            "{environment:?} {arguments:?}: {error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
}

#[test]
fn flags_and_files_that_cannot_be_used_are_one_line_and_status_2() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("to write");
        path.display().to_string()
    };
    let key = file("key.toml", "[publish]\nintervall = \"1s\"\n");
    let section = file("section.toml", "[redsi]\n");
    let url = file("url.toml", "\n[grip]\nurl = \"http://p/?iss=hush\"\n");
    let directory = directory.path().display().to_string();
    refused(&[
        (&[], &["--lisen"], "there is no option \"--lisen\"; did you mean --listen? See livecounter --help"),
        (&[], &["chekc"], "there is no command \"chekc\"; did you mean check? See livecounter --help"),
        (
            &[("RUST_LOG", "livecounter=debgu")],
            &["check"],
            "RUST_LOG: must be levels of log lines, such as warn",
        ),
        (
            &[("RUST_LOG", "a=b=c"), ("LIVECOUNTER__LOG__FORMAT", "json")],
            &["check"],
            "RUST_LOG: must be levels of log lines, such as warn",
        ),
        (&[], &["check", "--listen", "here"], "--listen: must be ADDRESS:PORT, such as 127.0.0.1:8000"),
        (&[], &["--listen", "here"], "--listen: must be ADDRESS:PORT, such as 127.0.0.1:8000"),
        (&[], &["--listen", "localhost:8000"], "--listen: must be ADDRESS:PORT, such as 127.0.0.1:8000"),
        (
            &[],
            &["--config", &key],
            &format!(
                "publish.intervall: no such setting; did you mean publish.interval? (line 2 of {key})\n"
            ),
        ),
        (
            &[],
            &["--config", &section],
            &format!("redsi: no such setting; did you mean redis? (line 1 of {section})\n"),
        ),
        (&[], &["--config", &url], "grip.url: address 1 has the parameter iss but no key (line 3 of "),
        (&[], &["--config", "missing.toml"], "missing.toml: No such file"),
        (&[], &["--config", &directory], &format!("{directory}: Is a directory")),
    ]);
}

#[test]
fn unknown_and_unusable_settings_are_one_line_and_status_2() {
    const FASTLY_URL: &str = "LIVECOUNTER__FASTLY__API_URL";
    refused(&[
        (&[("LIVECOUNTER__PUBLISH__INTERVAL", "soon")], &[], "publish.interval: must be a duration"),
        (
            &[("LIVECOUNTER__LISTEN__PORT", "1")],
            &[],
            "listen.port: no such setting (from LIVECOUNTER__LISTEN__PORT)\n",
        ),
        (
            &[("LIVECOUNTER__PUBLISH__INTERVALL", "1s")],
            &[],
            "publish.intervall: no such setting; did you mean publish.interval? (from LIVECOUNTER__PUBLISH__INTERVALL)\n",
        ),
        (
            &[("FASTLY_SERVICE_ID", "a/b"), ("FASTLY_API_KEY", "hush")],
            &[],
            "fastly.service_id: the service id consists of A-Z a-z 0-9 _ -",
        ),
        (
            &[("LIVECOUNTER__COMPAT__COUNTAPI", "a.example https://b.example")],
            &[],
            "compat.countapi: \"https://b.example\" is no host name: write it without scheme, port and path",
        ),
        (&[(FASTLY_URL, "here")], &[], "fastly.api_url: the API's address must be a URL of http or https"),
        (&[(FASTLY_URL, "https://hush@p/")], &[], "fastly.api_url: the API's address must be a URL"),
    ]);
}

#[test]
fn stores_that_cannot_be_used_are_one_line_and_status_2() {
    const PROXY: (&str, &str) = ("GRIP_URL", "http://p:5561/");
    let refused_redis = |url, expected| refused(&[(&[("REDIS_URL", url), PROXY], &[], expected)]);
    refused_redis(
        "http://:hush@r",
        "redis.url: must begin with redis://, rediss://, redis+unix:// (or unix://), redis+cluster://",
    );
    refused_redis(
        "rediss://:hush@127.0.0.1/#insecure",
        "redis.url: #insecure: certificates are always checked. To trust an authority of your own, name the file",
    );
    refused_redis("redis://127.0.0.1?dbs=5", "redis.url: there is no parameter \"dbs\"; did you mean db?");
    refused(&[
        (&[("REDIS_URL", "redis://127.0.0.1/")], &[], "redis.url: makes the origin stateless"),
        (
            &[("LIVECOUNTER__SQLITE__PATH", ":memory:")],
            &[],
            "sqlite.path: must be the path of a file, such as ",
        ),
        (&[("LIVECOUNTER__SQLITE__PATH", "/nowhere/at/all.db")], &[], "sqlite.path: "),
    ]);
}

#[test]
fn unusable_addresses_and_keys_of_proxies_are_one_line_and_status_2() {
    const KEY: &str = "GRIP_VERIFY_KEY";
    let refused_url = |url, expected| refused(&[(&[("GRIP_URL", url)], &[], expected)]);
    refused_url("nonsense?key=hush", "grip.url: address 1 is not a URL");
    refused_url(
        "http://p/?verify_key=hush",
        "grip.url: address 1 has the parameter verify-key in another spelling",
    );
    refused_url(
        "http://p/?iss=hush",
        "grip.url: address 1 has the parameter iss but no key (from GRIP_URL)\n",
    );
    refused_url(
        "http://p/?iss=i&key=hushhushhushhush&verify-iss=i http://q/?verify-iss=hush",
        "grip.url: address 2 has the parameter verify-iss but no key to verify with",
    );
    refused(&[
        (
            &[("GRIP_URL", "http://p/?iss=i&key=hush")],
            &[],
            "grip.url: address 1 has a parameter key that is a secret of fewer than 16 bytes, which can be guessed: make \
             one with openssl rand -base64 32 (from GRIP_URL)\n",
        ),
        (
            &[("GRIP_URL", "http://p/"), (KEY, "hush")],
            &[],
            "grip.verify_key: is a secret of fewer than 16 bytes, which can be guessed: make one with openssl rand",
        ),
        (&[("GRIP_URL", "http://p/"), (KEY, "base64:hush!")], &[], "grip.verify_key: starts with base64:"),
        (&[(KEY, "hush")], &[], "grip.verify_key: verifies the signatures of the proxies in grip.url"),
    ]);
}

#[test]
fn a_variable_of_ours_that_is_no_text_is_one_line_and_status_2() {
    let (directory, (_listener, taken)) = (tempfile::tempdir().expect("a directory"), taken());
    let run = |name: &str| {
        let mut command = program(directory.path());
        command.args(["--listen", &taken]).env(name, OsStr::from_bytes(b"hush\xff"));
        let output = command.output().expect("the program to run");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for name in ["LIVECOUNTER__WORKERS", "REDIS_URL", "GRIP_URL", "FASTLY_API_KEY", "PORT", "RUST_LOG"] {
        assert_eq!(run(name), (Some(2), format!("livecounter: {name}: must be UTF-8 text\n")));
    }
    assert_eq!(run("LIVECOUNTER").0, Some(1), "other programs' variables are not looked at");
}
