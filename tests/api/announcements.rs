//! The requests that an origin sends to the cache and to the proxies, and their order, as servers of the tests record them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{Values, Write};
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::http::{Ask, client, metric};
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::wait::until;
use crate::witness::Witness;

const SOON: Duration = Duration::from_secs(10);

async fn origin(proxies: &[&Witness], api: &Witness) -> TestApp {
    let grip: Vec<_> = proxies.iter().map(|proxy| proxy.grip_url()).collect();
    TestApp::with(&[
        ("GRIP_URL", &grip.join(" ")),
        ("FASTLY_SERVICE_ID", "abc"),
        ("FASTLY_API_KEY", "hush"),
        ("LIVECOUNTER__FASTLY__API_URL", &format!("http://{}", api.addr)),
    ])
    .await
}

/// An origin with these settings besides others, which counts in Redis and announces to one proxy.
async fn origin_with_redis(redis: &RedisServer, proxy: &Witness, more: &[(&str, &str)]) -> TestApp {
    let (redis, grip) = (redis.url(), proxy.grip_url());
    TestApp::with(&[&[("REDIS_URL", redis.as_str()), ("GRIP_URL", &grip)], more].concat()).await
}

async fn readiness(app: &TestApp) -> (u16, String) {
    let answer = app.get("/readyz").await;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("JSON");
    (status, body["announcements"].as_str().expect("a text").to_owned())
}

#[tokio::test]
async fn the_cache_is_purged_before_every_publish_and_again_two_seconds_later() {
    let (one, two, api) = (Witness::start().await, Witness::start().await, Witness::start().await);
    let app = origin(&[&one, &two], &api).await;
    app.add("2").await;
    let purges = api.arrivals("/service/abc/purge", 2).await;
    assert!(purges.iter().all(|purge| purge.keys == "counter-2"), "{purges:?}");
    let publishes = [one.arrivals("/publish/", 1).await, two.arrivals("/publish/", 1).await].concat();
    assert_eq!(publishes.len(), 2, "each proxy once");
    for publish in &publishes {
        assert!(purges[0].at < publish.at, "purge first");
        let item = &publish.body["items"][0];
        assert_eq!((&item["channel"], &item["prev-id"]), (&"counter-2".into(), &"0-0".into()));
        let id = item["id"].as_str().expect("an id");
        let content = item["formats"]["http-stream"]["content"].as_str().expect("a content");
        assert_eq!(content, format!("id: 2@{id}\nevent: message\ndata: 1\n\n"));
    }
    let apart = purges[1].at - publishes[0].at;
    assert!(apart > Duration::from_millis(1800), "a fetch under way had {apart:?} to end");
}

#[tokio::test]
async fn the_first_change_of_a_quiet_counter_is_published_at_once() {
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let app = origin_with_redis(&redis, &proxy, &[("LIVECOUNTER__PUBLISH__INTERVAL", "10s")]).await;
    let mut delays = Vec::new();
    for counter in 0..7 {
        let asked = Instant::now();
        app.add(&counter.to_string()).await;
        let publishes = proxy.arrivals("/publish/", counter + 1).await;
        delays.push(publishes[counter].at - asked);
        // The acknowledgement of this announcement must not be what wakes the announcer for the next one.
        until_acknowledged(&app).await;
    }
    // The announcer looks at its store once a second. If the POST did not wake the announcer, all changes but the first would
    // wait for nearly that long.
    delays.sort_unstable();
    assert!(delays[3] < Duration::from_millis(500), "{delays:?}");
}

/// Waits until all changes are announced and acknowledged.
async fn until_acknowledged(app: &TestApp) {
    until("an empty outbox", async || metric(&app.address, "livecounter_outbox_topics ").await == Some(0.0))
        .await;
}

#[tokio::test]
async fn a_counter_that_changes_often_keeps_its_mark() {
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let app = origin_with_redis(&redis, &proxy, &[("LIVECOUNTER__PUBLISH__INTERVAL", "1s")]).await;
    let calls = |command: &str| {
        let statistics = redis.cli(&["INFO", "commandstats"]);
        let name = format!("cmdstat_{command}:calls=");
        let calls = statistics.lines().find_map(|line| line.strip_prefix(&name)?.split(',').next());
        calls.map_or(0, |calls| calls.parse::<u64>().expect("a number"))
    };
    let counter: Topic = "counter-2".parse().expect("a topic");
    let number = format!("lc:{{b{}}}:c:{counter}", counter.bucket());
    for round in 1..=4 {
        join_all((0..2).map(|_| app.add("2"))).await;
        until("the value to be published", async || {
            let seen = proxy.seen();
            let data = format!("data: {}\n", 2 * round);
            seen.iter().any(|publish| publish.body.to_string().contains(&data.escape_default().to_string()))
        })
        .await;
        if round == 1 {
            redis.cli(&["CONFIG", "RESETSTAT"]);
        }
    }
    assert_eq!(redis.cli(&["EXISTS", &number]), "1", "ones are added without a script");
    // The first round may have been announced in two parts, of one change each; the second of them is acknowledged at once.
    assert!(calls("zrem") <= 1, "{} marks were removed", calls("zrem"));
    redis.cli(&["CONFIG", "RESETSTAT"]);
    until_acknowledged(&app).await;
    assert_eq!(redis.cli(&["EXISTS", &number]), "0");
    assert_eq!((calls("zrem"), calls("hmget")), (1, 1), "only the newest claim is acknowledged");
}

#[tokio::test]
async fn each_announcement_names_the_one_before() {
    let (proxy, api) = (Witness::start().await, Witness::start().await);
    let app = origin(&[&proxy], &api).await;
    for round in 1..=3 {
        app.add("2").await;
        proxy.arrivals("/publish/", round).await;
    }
    let items: Vec<Value> = proxy
        .seen()
        .iter()
        .flat_map(|publish| publish.body["items"].as_array().expect("items").clone())
        .collect();
    assert_eq!(items[1]["prev-id"], items[0]["id"]);
    assert_eq!(items[2]["prev-id"], items[1]["id"]);
}

#[tokio::test]
async fn a_failing_proxy_does_not_delay_the_other_and_gets_all_when_it_is_back() {
    let (well, ill, api) = (Witness::start().await, Witness::start().await, Witness::start().await);
    ill.answer_with(500);
    let app = origin(&[&well, &ill], &api).await;
    assert_eq!(readiness(&app).await, (200, "ok".into()));
    let asked = Instant::now();
    app.add("2").await;
    well.arrivals("/publish/", 1).await;
    assert!(asked.elapsed() < Duration::from_secs(2));
    let mut poll = tokio::time::interval(Duration::from_millis(100));
    let until = async |expected: &str, poll: &mut tokio::time::Interval| {
        while readiness(&app).await.1 != expected {
            poll.tick().await;
        }
    };
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, until("backing up", &mut poll)).await.expect("to be not ready");
    let metrics = app.metrics().await;
    let value = |name: &str| {
        let line = metrics
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("{name} in {metrics}"));
        line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number")
    };
    assert!(value("livecounter_announcements_given_up_total") >= 1.0);
    assert!(value(&format!("livecounter_endpoint_failures_total{{endpoint=\"{}", ill.addr)) >= 1.0);
    assert_eq!(value(&format!("livecounter_endpoint_up{{endpoint=\"{}", ill.addr)), 0.0);
    assert_eq!(value(&format!("livecounter_endpoint_up{{endpoint=\"{}", well.addr)), 1.0);
    ill.answer_with(200);
    tokio::time::timeout(patience, until("ok", &mut poll)).await.expect("to be ready again");
    let told = ill.seen();
    assert_eq!(told.last().expect("a publish").body["items"][0]["channel"], "counter-2");
}

#[tokio::test]
async fn a_failed_purge_is_counted_and_repeated() {
    let (proxy, api) = (Witness::start().await, Witness::start().await);
    api.answer_with(503);
    let app = origin(&[&proxy], &api).await;
    app.add("2").await;
    proxy.arrivals("/publish/", 1).await;
    let before = api.arrivals("/purge", 1).await.len();
    api.answer_with(200);
    // The mark stays in the outbox; when the lease is over, the origin purges and publishes again.
    let after = api.arrivals("/purge", before + 2).await;
    assert!(after.len() >= before + 2);
    let repeated = proxy.arrivals("/publish/", 2).await;
    assert_eq!(repeated[0].body["items"][0]["id"], repeated[1].body["items"][0]["id"], "with the same id");
}

#[tokio::test]
async fn changes_beside_a_key_of_another_kind_are_announced() {
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let app = origin_with_redis(&redis, &proxy, &[]).await;
    app.add("bad").await;
    proxy.arrivals("/publish/", 1).await;
    // Another program overwrites the topic's key.
    let key = redis.cli(&["--scan", "--pattern", "*:t:counter-bad"]);
    redis.cli(&["SET", &key, "no hash"]);
    let names: Vec<String> = (0..20).map(|number| format!("well-{number}")).collect();
    let all = names.iter().map(String::as_str).chain(["bad"]);
    let answers = join_all(all.map(async |name| client().post(app.counter(name)).send().await)).await;
    let refused = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|it| it.status() == 503)).count();
    assert_eq!(refused, 1, "only the counter whose key is another kind");
    let mut last = Vec::new();
    for name in &names {
        last.push((format!("counter-{name}"), format!("data: {}\n", app.add(name).await)));
    }
    let is_told = |(channel, line): &(String, String)| {
        proxy.told().iter().any(|(_, told, content)| told == channel && content.contains(line))
    };
    let all_announced = async {
        let mut poll = tokio::time::interval(Duration::from_millis(20));
        while !last.iter().all(is_told) {
            poll.tick().await;
        }
    };
    tokio::time::timeout(SOON, all_announced).await.expect("every one announced");
}

#[tokio::test]
async fn a_purge_that_takes_long_does_not_slow_a_busy_counter_down() {
    let (proxy, api) = (Witness::start().await, Witness::start().await);
    api.answer_after(Duration::from_millis(150));
    let app = origin(&[&proxy], &api).await;
    let client = client();
    let counting = async {
        loop {
            client.post(app.counter("2")).answer().await;
        }
    };
    let publishes = tokio::select! {
        () = counting => unreachable!("it never ends"),
        publishes = proxy.arrivals("/publish/", 13) => publishes,
    };
    let mut gaps: Vec<_> = publishes.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    gaps.sort_unstable();
    // The interval is 250 ms. If the purge were added to the interval, publishes would be 400 ms apart.
    let median = gaps[gaps.len() / 2];
    assert!(median > Duration::from_millis(200) && median < Duration::from_millis(330), "{gaps:?}");
}

#[tokio::test]
async fn sweeps_do_not_find_topics_that_wait_for_a_long_gate() {
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let interval = [("LIVECOUNTER__PUBLISH__INTERVAL", "10s")];
    let apps = [
        origin_with_redis(&redis, &proxy, &interval).await,
        origin_with_redis(&redis, &proxy, &interval).await,
    ];
    apps[0].add("2").await;
    proxy.arrivals("/publish/", 1).await;
    until_acknowledged(&apps[0]).await;
    // The first origin knows that the gate is shut; the second origin has to ask the store.
    for app in &apps {
        app.add("2").await;
    }
    // A sweep finds the change of an origin that died, and would also have found the change that waits for its gate.
    let store = RedisStore::connect(&redis.url(), SOON).expect("a good address");
    let left: Topic = "counter-left".parse().expect("a topic");
    assert!(store.write(vec![Write::add(left, 1, None)]).await[0].is_ok());
    let told = async || proxy.told().iter().any(|(_, channel, _)| channel == "counter-left");
    until("what was left to be announced", told).await;
    let mut swept = 0.0;
    for app in &apps {
        swept += metric(&app.address, "livecounter_swept_topics_total ").await.expect("a number");
    }
    assert_eq!(swept, 1.0);
}
