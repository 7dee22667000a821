//! `livecounter check --public`: what is missing for an address that the public can reach.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::program::{Program, program};
use crate::support::http::{Ask, client};
use crate::support::process::repository;

/// The settings that docs/your-site.md tells its readers to copy.
const COPIED: &str = "docs/examples/site/livecounter.toml";
/// The directory of the tests is one for temporary files, so the tests name another for the database.
const DATABASE: (&str, &str) = ("LIVECOUNTER__SQLITE__PATH", "/var/lib/livecounter/livecounter.db");

/// Runs the check with the copied settings, these variables and these arguments; returns the status and the keys that are missing.
fn check(environment: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, Vec<String>) {
    let file = repository(COPIED).display().to_string();
    let output = run(&[&[DATABASE], environment].concat(), &[&["--config", &file], arguments].concat());
    (output.status.code(), missing(&output))
}

fn run(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = program(directory.path());
    command.args(["check", "--public"]).args(arguments).envs(environment.iter().copied());
    let output = command.output().expect("the program to run");
    let mut left = std::fs::read_dir(directory.path()).expect("the directory");
    assert!(left.next().is_none(), "nothing is left behind");
    output
}

/// The keys that the check names, after it has looked at the form of each line.
fn missing(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let (first, rest) = text.split_once('\n').expect("a line");
    assert!(first.starts_with("the settings can be used: counters in "), "{text}");
    if rest == "nothing is missing for the public\n" {
        return Vec::new();
    }
    let keys = rest.lines().map(|line| {
        let (key, advice) = line
            .strip_prefix("missing for the public: ")
            .and_then(|line| line.split_once(": "))
            .unwrap_or_else(|| panic!("{line}"));
        let (_, document) = advice.trim_end_matches(')').rsplit_once(" (").expect("a document");
        assert!(repository(document).exists(), "{line}");
        key.to_owned()
    });
    keys.collect()
}

#[test]
fn the_settings_to_copy_lack_nothing_for_the_public() {
    assert_eq!(check(&[], &[]), (Some(0), vec![]));
}

#[test]
fn without_settings_all_that_the_public_needs_is_named() {
    let output = run(&[DATABASE], &[]);
    assert_eq!(output.status.code(), Some(2));
    let behind_a_proxy = [
        "trusted_proxies",
        "limits.writes",
        "access.amounts",
        "limits.new_topics",
        "limits.topics",
        "hits.allow",
        "limits.streams",
        "ops.listen",
        "keys",
    ];
    assert_eq!(missing(&output), behind_a_proxy);
    let direct = run(&[DATABASE], &["--listen", "0.0.0.0:8000"]);
    assert_eq!(missing(&direct)[0], "listen");
    assert_eq!(missing(&direct)[1..], behind_a_proxy[1..8]);
    assert_eq!(String::from_utf8_lossy(&direct.stderr), "", "the warning would say the same once more");
}

#[test]
fn each_setting_that_is_missing_or_too_wide_is_named() {
    for (name, value, expected) in [
        ("LIMITS__WRITES", "", None),
        ("ACCESS__AMOUNTS", "-1000..1000", Some("access.amounts")),
        ("ACCESS__AMOUNTS", "1..1000", Some("access.amounts")),
        ("ACCESS__AMOUNTS", "-9007199254740991..1", Some("access.amounts")),
        ("ACCESS__AMOUNTS", "-1..1", None),
        ("TRUSTED_PROXIES", "0.0.0.0/0", Some("trusted_proxies")),
        ("TRUSTED_PROXIES", "10.0.0.1, ::/0", Some("trusted_proxies")),
        ("OPS__LISTEN", "0.0.0.0:9090", Some("ops.listen")),
        ("OPS__LISTEN", "[::]:9090", Some("ops.listen")),
        ("OPS__LISTEN", "192.0.2.1:9090", Some("ops.listen")),
        ("OPS__LISTEN", "10.0.0.1:9090", None),
        ("OPS__LISTEN", "[fd00::1]:9090", None),
        ("ACCESS__WRITE", "key", Some("keys")),
        ("SQLITE__PATH", "/tmp/livecounter.db", Some("sqlite.path")),
        ("SQLITE__PATH", "/dev/shm/a/livecounter.db", Some("sqlite.path")),
        ("SQLITE__PATH", "/tmpfile.db", None),
    ] {
        let variable = format!("LIVECOUNTER__{name}");
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        let status = if expected.is_empty() { 0 } else { 2 };
        assert_eq!(check(&[(&variable, value)], &[]), (Some(status), expected), "{name} {value}");
    }
    let (_, named) = check(&[("GRIP_URL", "http://127.0.0.1:5561/")], &[]);
    assert_eq!(named, ["grip.verify_key"]);
    let signed = "http://127.0.0.1:5561/?iss=pushpin&key=a-secret-of-16-bytes";
    assert_eq!(check(&[("GRIP_URL", signed)], &[]), (Some(0), vec![]));
}

#[test]
fn what_no_client_can_do_needs_no_limit() {
    let missing = |file: &str| {
        let on_disk = written(file, 0o600);
        missing(&run(&[DATABASE], &["--config", &on_disk.path().display().to_string()]))
    };
    let proxied = "trusted_proxies = [\"127.0.0.1\"]\nops.listen = \"127.0.0.1:9090\"\n";
    let limits = "limits.writes = \"50/s\"\nlimits.streams = 50\n";
    let key = format!(
        "[[keys]]\nname = \"a\"\nid = \"0m86rfs7\"\nsha256 = \"{}\"\nscopes = [\"write:\"]\n",
        "0".repeat(64)
    );
    let by_key = format!("{proxied}{limits}access.write = \"key\"\n{key}");
    assert_eq!(missing(&by_key), Vec::<String>::new());
    let known = "counters.known = [\"1\"]\naccess.amounts = \"1..1\"\nhits.enabled = false\n";
    assert_eq!(missing(&format!("{proxied}{limits}{known}")), Vec::<String>::new());
    let some_open = by_key.replace("\"key\"", "[\"key\", \"anyone:counters/public-\"]");
    assert_eq!(missing(&some_open), ["access.amounts", "limits.new_topics", "limits.topics", "hits.allow"]);
    // A cache that is purged stands in front of the origins and keeps /metrics inside; Redis needs a proxy that holds the streams.
    let chain = "redis.url = \"redis://r/\"\ngrip.url = \"http://p/?key=k\"\ngrip.verify_key = \"a-secret-of-16-bytes\"\n\
                 fastly.service_id = \"s\"\nfastly.api_key = \"k\"\n";
    let chain =
        format!("{}{known}{chain}", format!("{proxied}{limits}").replace("127.0.0.1:9090", "0.0.0.0:9090"));
    assert_eq!(missing(&chain), Vec::<String>::new());
}

fn written(text: &str, mode: u32) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("to write");
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).expect("its mode");
    file
}

#[test]
fn a_file_with_secrets_that_others_may_read_is_named() {
    let copied = std::fs::read_to_string(repository(COPIED)).expect("the settings");
    let secret = copied.replace("[access]\n", "[access]\nticket_key = \"hush-of-16-bytes-or-more\"\n");
    for (text, mode, expected) in [
        (&copied, 0o644, None),
        (&secret, 0o600, None),
        (&secret, 0o640, None),
        (&secret, 0o644, Some("access.ticket_key")),
        (&secret, 0o602, Some("access.ticket_key")),
    ] {
        let file = written(text, mode);
        let output = run(&[DATABASE], &["--config", &file.path().display().to_string()]);
        assert_eq!(missing(&output).first().map(String::as_str), expected, "{mode:o}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("hush"));
    }
}

#[test]
fn settings_that_cannot_be_used_are_one_line_with_public_too() {
    let output = run(&[DATABASE, ("LIVECOUNTER__LIMITS__WRITES", "many")], &[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("livecounter: limits.writes: ") && error.lines().count() == 1, "{error}");
}

/// Starts the service with the settings to copy; the ports are others, as those of the file may be taken here.
fn start(directory: &Path) -> Program {
    let mut command = program(directory);
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(repository(COPIED));
    command.env("LIVECOUNTER__OPS__LISTEN", "127.0.0.1:0");
    Program::run(command)
}

#[tokio::test]
async fn the_service_runs_with_the_settings_to_copy() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut program = start(directory.path());
    let operators = program.until_logged("serving operators on http://");
    let operators = operators.split('/').next().expect("an address");
    let visitor = |address: &str, request: reqwest::RequestBuilder| {
        request.header("x-forwarded-for", address.to_owned())
    };
    let counter = program.url("/counters/visits/");
    assert_eq!(visitor("192.0.2.1", client().post(&counter)).text().await, "1\n");
    let two = visitor("192.0.2.1", client().post(format!("{counter}?by=2"))).answer().await;
    assert_eq!(two.status(), 403);
    for (page, status) in [("https://www.example.com/a", 200), ("https://other.example/a", 403)] {
        let request = client().get(program.url(&format!("/count?url={page}")));
        assert_eq!(visitor("192.0.2.1", request).answer().await.status().as_u16(), status, "{page}");
    }
    assert_eq!(client().get(program.url("/metrics")).answer().await.status(), 404);
    assert_eq!(client().get(format!("http://{operators}/metrics")).answer().await.status(), 200);
    // There is no key yet, and the proxy is trusted: so no request may do what needs one, wherever it seems to come from.
    let closed = client().get(program.url("/entity/a/")).answer().await;
    assert_eq!(closed.status(), 403);
    let problem: Value = closed.json().await.expect("JSON");
    assert!(problem["detail"].is_string(), "{problem}");
}

#[test]
fn the_document_shows_the_files_to_copy_as_they_are() {
    let read = |path: &str| std::fs::read_to_string(repository(path)).expect("a text");
    let document = read("docs/your-site.md");
    for file in [COPIED, "docs/examples/site/Caddyfile"] {
        assert!(
            document.contains(&format!("\n{}```\n", read(file))),
            "{file} differs from what the document shows"
        );
    }
}
