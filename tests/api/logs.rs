//! The lines that the real program logs when something is wrong, and how often.

use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::https::Api;
use crate::support::http::{Ask, client, metric};
use crate::support::port::Port;
use crate::support::process::{self, Process};
use crate::support::redis::RedisServer;
use crate::support::wait::until;
use crate::witness::{SAID, Witness};

const GRIP_URL: &str = "http://127.0.0.1:9/?iss=pushpin&key=hunter2hunter2hunter2";

/// The program with the default filter of its log.
pub(crate) struct Origin {
    process: Process,
    port: Port,
}

impl Origin {
    pub(crate) async fn start(environment: &[(&str, &str)]) -> Origin {
        let port = Port::reserve();
        let mut command = Command::new(env!("CARGO_BIN_EXE_livecounter"));
        command.env_clear().args(["--listen", &port.addr().to_string()]);
        command.envs(environment.iter().copied());
        let process = Process::start("origin", &mut command, process::directory());
        let mut origin = Origin { process, port };
        let (client, url) = (client(), origin.url("/healthz"));
        origin.process.until(async || client.get(&url).send().await.is_ok()).await;
        origin
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.port.addr())
    }

    /// Adds to a counter. Returns the status and the id of the request.
    async fn add(&self, client: &reqwest::Client, counter: &str) -> (u16, String) {
        let answer = client.post(self.url(&format!("/counters/{counter}/"))).answer().await;
        let id = answer.headers()["x-request-id"].to_str().expect("a text").to_owned();
        (answer.status().as_u16(), id)
    }

    /// The lines so far that contain a text.
    pub(crate) fn lines(&self, part: &str) -> Vec<String> {
        self.process.log().lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }

    /// Waits for this number of lines that contain a text.
    async fn until_logged(&mut self, count: usize, part: &str) -> Vec<String> {
        let log = self.process.dir().join("log");
        let lines = || std::fs::read_to_string(&log).unwrap_or_default().matches(part).count();
        self.process.until(async || lines() >= count).await;
        self.lines(part)
    }
}

fn purging(url: &str) -> [(&str, &str); 3] {
    let service = ("FASTLY_SERVICE_ID", "service");
    [service, ("FASTLY_API_KEY", "hunter2"), ("LIVECOUNTER__FASTLY__API_URL", url)]
}

#[tokio::test]
async fn refused_purges_are_a_line_for_each_reason_and_one_when_it_is_over() {
    let (api, client) = (Witness::start().await, client());
    api.answer_with(401);
    let url = format!("http://{}", api.addr);
    let mut origin = Origin::start(&purging(&url)).await;
    for counter in 0..5 {
        origin.add(&client, &counter.to_string()).await;
    }
    origin.until_logged(1, "purging fails").await;
    api.answer_with(403);
    for counter in 5..10 {
        origin.add(&client, &counter.to_string()).await;
    }
    let lines = origin.until_logged(2, "purging fails").await;
    api.answer_with(200);
    origin.until_logged(1, "purging works again").await;
    origin.until_logged(1, "announcements get through again").await;
    let asked = format!("{url}/service/service/purge");
    for (line, status) in lines.iter().zip([401, 403]) {
        let reason = format!("purging fails: {asked} answered {status}: {SAID}");
        assert!(line.contains(" WARN ") && line.ends_with(&reason), "{line}");
    }
    let log = origin.process.log();
    for once in [
        "answered 401",
        "answered 403",
        "purging works again",
        "announcements do not get through to every proxy or the cache; they stay in the outbox: the cache is not purged",
        "announcements get through again",
    ] {
        assert_eq!(log.matches(once).count(), 1, "{once}: {log}");
    }
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_one_line_with_the_reason() {
    let (api, client) = (Api::start().await, client());
    let origin = Origin::start(&purging(&api.url)).await;
    for counter in ["1", "2", "3"] {
        origin.add(&client, counter).await;
    }
    until("two failures", async || {
        let failures = metric(&origin.url(""), "livecounter_purge_failures_total ").await;
        failures.expect("the count") >= 2.0
    })
    .await;
    let log = origin.process.log();
    assert_eq!(log.matches("invalid peer certificate").count(), 1, "{log}");
    assert!(!log.contains("rustls_platform_verifier") && !log.contains("ERROR"), "{log}");
}

#[tokio::test]
async fn the_log_tells_of_absent_redis_its_return_and_requests_once_a_second() {
    let (mut redis, client) = (RedisServer::stopped(), client());
    let mut origin = Origin::start(&[("REDIS_URL", &redis.url()), ("GRIP_URL", GRIP_URL)]).await;
    let said = origin.until_logged(1, "outage] the store is unavailable: ").await;
    assert!(said[0].contains(" WARN ") && said[0].contains("No such file or directory"), "{said:?}");
    let (started, mut failed, mut lines) = (Instant::now(), HashSet::new(), Vec::new());
    let logged = async || {
        let (status, id) = origin.add(&client, "2").await;
        assert_eq!(status, 503);
        failed.insert(id);
        lines = origin.lines("failed with 503");
        lines.len() >= 3 && failed.len() > 10
    };
    until("three lines", logged).await;
    let most = 1 + started.elapsed().as_secs() as usize;
    assert!(lines.len() <= most, "{} requests, {most} lines at most: {lines:#?}", failed.len());
    let ids = lines.iter().filter_map(|line| line.split("request ").nth(1)?.split(' ').next());
    let ids: HashSet<&str> = ids.collect();
    assert!(ids.len() == lines.len() && ids.iter().all(|id| failed.contains(*id)), "{lines:#?}");
    let left_out =
        lines.iter().filter_map(|line| line.split_once(" more since such a line)")?.0.rsplit('(').next());
    let left_out: usize = left_out.map(|count| count.parse::<usize>().expect("a number")).sum();
    assert!(left_out > 0 && left_out + lines.len() <= failed.len(), "{left_out} of {}", failed.len());

    assert_eq!(origin.lines("outage] "), said, "not for each attempt");
    redis.run();
    origin.until_logged(1, "INFO  livecounter::announcer::outage] the store answers again").await;
    redis.kill();
    origin.until_logged(said.len() + 1, "outage] the store is unavailable: ").await;
}

#[tokio::test]
async fn a_redis_that_wants_a_password_is_said_to() {
    let redis = RedisServer::start_with(&["--requirepass secret"]);
    let without = [("REDIS_URL", redis.url()), ("GRIP_URL", GRIP_URL.to_owned())];
    let without = without.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut origin = Origin::start(&without).await;
    let said = origin.until_logged(1, "outage] the store is unavailable: ").await;
    assert!(said[0].contains("NOAUTH"), "{said:?}");
}

#[tokio::test]
async fn a_failed_requests_id_is_once_in_its_text_line_and_a_field_in_json() {
    let redis = RedisServer::stopped();
    let environment = [("REDIS_URL", redis.url()), ("GRIP_URL", GRIP_URL.to_owned())];
    let [store, proxy] = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut origin = Origin::start(&[store, proxy]).await;
    let (_, id) = origin.add(&client(), "2").await;
    let line = &origin.until_logged(1, "failed with 503").await[0];
    assert!(line.contains(&format!("request {id} failed with 503 Service Unavailable: the store")), "{line}");
    assert_eq!((line.matches(&id).count(), line.matches("No such file").count()), (1, 1), "{line}");

    let mut origin = Origin::start(&[store, proxy, ("LIVECOUNTER__LOG__FORMAT", "json")]).await;
    let (_, id) = origin.add(&client(), "2").await;
    let line = &origin.until_logged(1, "failed with 503").await[0];
    let entry: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    assert_eq!((entry["request_id"].as_str(), entry["status"].as_u64()), (Some(id.as_str()), Some(503)));
    assert!(entry["cause"].as_str().is_some_and(|cause| cause.contains("No such file")), "{line}");
}

#[tokio::test]
async fn claims_that_cannot_be_saved_are_one_line_and_one_when_they_are() {
    let (mut origin, client) = (Origin::start(&[("RUST_LOG", "livecounter=debug")]).await, client());
    let file = Connection::open(origin.process.dir().join("livecounter.db")).expect("the file");
    let saves_of_claims_fail = "CREATE TRIGGER fault BEFORE INSERT ON topic
         WHEN EXISTS (SELECT 1 FROM topic WHERE name = NEW.name AND value = NEW.value)
         BEGIN SELECT raise(ABORT, 'not now'); END";
    file.execute_batch(saves_of_claims_fail).expect("a trigger");
    assert_eq!(origin.add(&client, "2").await.0, 200);
    origin.until_logged(2, "claims still cannot be saved").await;
    file.execute_batch("DROP TRIGGER fault").expect("no trigger");
    origin.until_logged(1, "claims are saved again").await;
    let lines = origin.lines("claims cannot be saved");
    assert!(lines.len() == 1 && lines[0].ends_with("tried every second: not now"), "{lines:#?}");
}

#[tokio::test]
async fn the_first_line_says_which_way_the_service_runs() {
    let redis = RedisServer::start();
    let (address, socket) = (redis.url(), redis.url().replace("unix://", ""));
    let api = "https://purges.example";
    let purging = purging(api);
    for (environment, expected) in [
        (vec![], "counters in the SQLite file DIR/livecounter.db; streams held in this process; purging off"),
        (
            // This combination is allowed, though it is seldom what an operator wants.
            vec![("REDIS_URL", ""), ("GRIP_URL", GRIP_URL)],
            "counters in the SQLite file DIR/livecounter.db; \
             streams held by 127.0.0.1:9, and past it in this process; purging off",
        ),
        (
            [vec![("REDIS_URL", address.as_str()), ("GRIP_URL", GRIP_URL)], purging.to_vec()].concat(),
            "counters in the Redis at SOCKET; streams held by 127.0.0.1:9; purging on, at https://purges.example",
        ),
    ] {
        let origin = Origin::start(&environment).await;
        let directory = origin.process.dir().canonicalize().expect("a directory");
        let expected = expected.replace("DIR", &directory.display().to_string()).replace("SOCKET", &socket);
        let line = format!("serving http://{}/: {expected}; version ", origin.port.addr());
        assert_eq!(origin.lines(&line).len(), 1, "{line}\n{}", origin.process.log());
        assert!(!origin.process.log().contains("hunter2"), "{}", origin.process.log());
    }
}

#[tokio::test]
async fn a_log_without_a_reader_ends_nothing() {
    for format in ["text", "json"] {
        let (redis, port, directory) = (RedisServer::stopped(), Port::reserve(), process::directory());
        let mut command = Command::new(env!("CARGO_BIN_EXE_livecounter"));
        command.env_clear().args(["--listen", &port.addr().to_string()]).current_dir(directory.path());
        command.env("REDIS_URL", redis.url()).env("GRIP_URL", GRIP_URL);
        let mut child = command.env("LIVECOUNTER__LOG__FORMAT", format).stderr(Stdio::piped()).spawn();
        let child = child.as_mut().expect("the program to start");
        drop(child.stderr.take());
        let (client, url) = (client(), format!("http://{}/counters/2/", port.addr()));
        let deadline = Instant::now() + Duration::from_secs(30);
        let status = loop {
            match client.post(&url).send().await {
                Err(error) if error.is_connect() && Instant::now() < deadline => {
                    tokio::task::yield_now().await
                }
                answer => break answer.map(|answer| answer.status().as_u16()),
            }
        };
        let _ = child.kill();
        let _ = child.wait();
        assert_eq!(status.unwrap_or_else(|error| panic!("{format}: {error:?}")), 503, "{format}");
    }
}

#[tokio::test]
async fn a_redis_that_removes_keys_is_one_warning_that_says_what_to_set() {
    let redis = RedisServer::start_with(&["--maxmemory 100mb", "--maxmemory-policy volatile-lru"]);
    let mut origin = Origin::start(&[("REDIS_URL", &redis.url()), ("GRIP_URL", GRIP_URL)]).await;
    let lines = origin.until_logged(1, "maxmemory-policy volatile-lru").await;
    assert!(lines[0].contains(" WARN ") && lines[0].contains("set maxmemory-policy noeviction"), "{lines:?}");
    assert_eq!(lines.len(), 1, "not for each worker");
}
