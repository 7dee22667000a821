//! `livecounter key new`, `livecounter ticket`, and keys that are read again at SIGHUP.

use std::path::Path;
use std::process::Command;

use crate::program::{Program, output, program};
use crate::support::http::{Ask, client, header};

const TICKET_KEY: &str = "a-secret-of-18-byt";

/// Runs `livecounter key new`; returns the secret and the table.
fn new_key(name: &str, scopes: &[&str]) -> (String, String) {
    let mut words = vec!["key", "new", name];
    words.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
    let output = output(&[], &words);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let (secret, table) = text.split_once("\n\n").expect("a secret and a table");
    assert!(secret.len() == 44 && !table.contains(&secret[12..]), "{text}");
    (secret.to_owned(), table.to_owned())
}

fn write(file: &Path, tables: &[&str]) {
    let rules = "[access]\nwrite = \"key\"\nticket_key = \"a-secret-of-18-byt\"\n";
    std::fs::write(file, format!("{rules}{}", tables.concat())).expect("to write the file");
}

fn start(directory: &Path, file: &Path) -> Program {
    let mut command: Command = program(directory);
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(file);
    Program::run(command)
}

async fn post(program: &Program, secret: &str) -> u16 {
    client().post(program.url("/counters/1/")).bearer_auth(secret).answer().await.status().as_u16()
}

#[tokio::test]
async fn keys_are_read_again_at_sighup_and_stay_where_the_file_is_broken() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("x.toml");
    let (old, old_table) = new_key("old", &["write:"]);
    let (new, new_table) = new_key("new", &["write:counters/1/", "read:"]);
    write(&file, &[&old_table]);
    let mut program = start(directory.path(), &file);
    assert_eq!((post(&program, &old).await, post(&program, &new).await), (200, 401));

    write(&file, &[&new_table]);
    program.signal("-HUP");
    program.until_logged("SIGHUP: the keys have been read again; there are 1 now");
    assert_eq!((post(&program, &old).await, post(&program, &new).await), (401, 200));

    for broken in [&*old_table.replace("scopes", "scops"), "[[keys]\n"] {
        write(&file, &[&old_table, broken]);
        program.signal("-HUP");
        let problem = program.until_logged("SIGHUP: the keys stay as they are: ");
        assert!(problem.contains("x.toml") && !problem.contains("sha256 ="), "{problem}");
        assert_eq!((post(&program, &old).await, post(&program, &new).await), (401, 200));
    }
    std::fs::remove_file(&file).expect("to remove it");
    program.signal("-HUP");
    program.until_logged("SIGHUP: the keys stay as they are: ");
    assert_eq!(post(&program, &new).await, 200);

    program.signal("-TERM");
    let log = program.rest_of_log();
    assert!(!log.contains(&new[12..]), "{log}");
    assert_eq!(program.exit_code(), Some(0));
}

/// Logs a browser in with this secret; returns the cookie.
async fn log_in(program: &Program, secret: &str) -> String {
    let request = client().post(program.url("/admin/login")).header("sec-fetch-site", "same-origin");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(format!("key={secret}")).answer().await;
    assert_eq!(answer.status(), 303);
    header(&answer, "set-cookie").split(';').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_session_and_its_stream_end_when_the_key_is_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("x.toml");
    let (owner, owner_table) = new_key("owner", &["admin"]);
    let (_, other_table) = new_key("other", &["admin"]);
    write(&file, &[&owner_table, &other_table]);
    let mut program = start(directory.path(), &file);
    let cookie = log_in(&program, &owner).await;
    let get = |path: &str| client().get(program.url(path)).header("cookie", &cookie);
    let mut stream = get("/admin/stream").answer().await;
    assert_eq!(stream.status(), 200);
    assert!(stream.chunk().await.expect("a stream").is_some());
    assert_eq!(get("/admin").answer().await.status(), 200);

    write(&file, &[&other_table]);
    program.signal("-HUP");
    program.until_logged("SIGHUP: the keys have been read again; there are 1 now");
    let get = |path: &str| client().get(program.url(path)).header("cookie", &cookie);
    assert_eq!(get("/admin").answer().await.status(), 401);
    // The client gives up after ten seconds, with an error.
    while stream.chunk().await.expect("the stream ends").is_some() {}
}

#[tokio::test]
async fn no_line_of_the_log_repeats_a_session_or_the_key_of_a_login() {
    let directory = tempfile::tempdir().expect("a directory");
    let (owner, table) = new_key("owner", &["admin"]);
    let environment = [("LIVECOUNTER__KEYS", &*table), ("RUST_LOG", "trace")];
    let mut program = Program::start(directory.path(), &environment);
    let cookie = log_in(&program, &owner).await;
    let session = cookie.rsplit('.').next().expect("a signature");
    for path in ["/admin".to_owned(), format!("/admin?_key={owner}")] {
        client().get(program.url(&path)).header("cookie", &cookie).answer().await;
    }
    program.signal("-TERM");
    let log = program.rest_of_log();
    assert!(log.len() > 1_000 && session.len() > 40, "{log}");
    for secret in [&owner[12..], session] {
        assert_eq!(log.lines().find(|line| line.contains(secret)), None);
    }
}

#[tokio::test]
async fn no_line_of_the_log_repeats_a_key_even_at_the_finest_level() {
    for format in ["text", "json"] {
        let directory = tempfile::tempdir().expect("a directory");
        let (secret, table) = new_key("a", &["write:counters/2/"]);
        let environment = [
            ("LIVECOUNTER__KEYS", &*table),
            ("LIVECOUNTER__ACCESS__WRITE", "key"),
            ("LIVECOUNTER__ACCESS__TICKET_KEY", TICKET_KEY),
            ("LIVECOUNTER__LOG__FORMAT", format),
            ("RUST_LOG", "trace"),
        ];
        let mut program = Program::start(directory.path(), &environment);
        let ticket = output(&environment[2..3], &["ticket", "--scope=read:"]).stdout;
        let ticket = String::from_utf8(ticket).expect("text").trim_end().to_owned();
        for secret in [&secret, &ticket] {
            let url = program.url("/counters/1/");
            for request in [
                client().post(&url).bearer_auth(secret),
                client().post(&url).header("x-ocean-key", secret),
                client().post(&url).header("x-request-id", secret),
                client().post(format!("{url}?_key={secret}")),
                client().post(format!("{url}?_ticket={secret}&by=x")),
                client().get(format!("{url}?_key={secret}")),
                client().get(program.url(&format!("/{secret}"))),
            ] {
                let _ = request.answer().await;
            }
        }
        program.signal("-TERM");
        let log = program.rest_of_log();
        assert!(log.len() > 1_000, "{log}");
        for secret in [&secret[12..], &ticket[10..], TICKET_KEY] {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{format}");
        }
    }
}

#[tokio::test]
async fn without_a_file_sighup_ends_the_program_as_a_closed_terminal_does() {
    let directory = tempfile::tempdir().expect("a directory");
    // A process that was started by nohup ignores the signal, and so do the programs that it starts.
    let mut command = Command::new("env");
    command.args([
        "--default-signal=HUP",
        env!("CARGO_BIN_EXE_livecounter"),
        "serve",
        "--listen",
        "127.0.0.1:0",
    ]);
    command.current_dir(directory.path()).env_clear().env("RUST_LOG", "info");
    let program = Program::run(command);
    program.signal("-HUP");
    assert_eq!(program.exit_code(), None);
}

#[tokio::test]
async fn a_ticket_of_the_command_is_taken() {
    let directory = tempfile::tempdir().expect("a directory");
    let environment =
        [("LIVECOUNTER__ACCESS__TICKET_KEY", TICKET_KEY), ("LIVECOUNTER__ACCESS__WRITE", "key")];
    let program = Program::start(directory.path(), &environment);
    let ticket = |scope: &str| {
        let output = output(&environment, &["ticket", "--scope", scope, "--for", "1h"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    };
    assert_eq!(post(&program, &ticket("write:counters/1/")).await, 200);
    assert_eq!(post(&program, &ticket("write:counters/2/")).await, 403);
}

#[test]
fn a_check_warns_where_no_client_could_write() {
    let warned = |environment: &[(&str, &str)]| {
        let output = output(environment, &["check"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).contains("no client may write there")
    };
    let rule = ("LIVECOUNTER__ACCESS__WRITE", "key:counters/shop-");
    assert!(warned(&[rule, ("RUST_LOG", "warn")]));
    assert!(!warned(&[rule, ("LIVECOUNTER__ACCESS__TICKET_KEY", TICKET_KEY)]));
    assert!(!warned(&[rule, ("LIVECOUNTER__KEYS", &new_key("shop", &["write:"]).1)]));
    assert!(!warned(&[]));
}

#[test]
fn commands_that_cannot_run_are_one_line_and_exit_status_2() {
    for (environment, words, expected) in [
        (
            &[][..],
            &["ticket", "--scope", "read:"][..],
            "access.ticket_key: is not set, so no ticket would be taken",
        ),
        (
            &[("LIVECOUNTER__ACCESS__TICKET_KEY", "hush")],
            &["ticket", "--scope=read:"],
            "access.ticket_key: is a secret of",
        ),
        (&[], &["ticket", "--scope=read:", "--signing-key=none"], "--signing-key: No such file"),
        (&[], &["ticket", "--scope=read:", "--for=61m"], "must be whole seconds from 1s to 1h"),
        (
            &[],
            &["key", "new", "my shop", "--scope=read:"],
            "the name of a key consists of 1 to 64 characters",
        ),
        (&[], &["key", "new", "shop", "--scope=read:counters/.*"], "has '*' as character 11"),
        (&[("LIVECOUNTER__KEYS", "lc_hush")], &["check"], "keys: must be [[keys]] tables"),
        (&[("LIVECOUNTER__ACCESS__WRITE", "key,nobody")], &["check"], "\"nobody\" is another"),
    ] {
        let output = output(environment, words);
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{words:?} {text}");
        assert!(text.contains(expected) && text.lines().count() == 1 && !text.contains("hush"), "{text}");
    }
}
