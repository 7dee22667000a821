//! Visitors without cookies, who are recognised by address and `User-Agent` where the settings ask for it.

use reqwest::RequestBuilder;

use crate::logs::Origin;
use crate::support::app::TestApp;
use crate::support::deployment::PROXY_URL;
use crate::support::http::{Ask, client, header};
use crate::support::redis::RedisServer;
use crate::support::wait::{until, until_an_hour_has_time};
use crate::visitors::{count, counted};

const GUARD: (&str, &str) = ("LIVECOUNTER__HITS__WINDOW_WITHOUT_COOKIES", "true");
pub(crate) const TRUSTED: (&str, &str) = ("LIVECOUNTER__TRUSTED_PROXIES", "127.0.0.0/8");

/// The number after a hit from this address with this agent.
async fn hit(app: &TestApp, page: &str, address: &str, agent: &str) -> String {
    let request = count(app, page).header("x-forwarded-for", address).header("user-agent", agent);
    counted(request).await.0
}

async fn clients_without_cookies_are_counted_once(environment: &[(&str, &str)]) {
    until_an_hour_has_time().await;
    let app = TestApp::with(&[environment, &[GUARD, TRUSTED]].concat()).await;
    for (address, agent, expected) in [
        ("192.0.2.1", "a", "1"),
        ("192.0.2.1", "a", "1"),
        // Two agents behind one address are two visitors.
        ("192.0.2.1", "b", "2"),
        ("192.0.2.1", "b", "2"),
        ("192.0.2.2", "a", "3"),
        ("203.0.113.9, 192.0.2.2", "a", "3"),
        ("2001:db8::1", "a", "4"),
        ("2001:db8::ffff", "a", "4"),
        ("2001:db8:0:1::1", "a", "5"),
        ("192.0.2.1", "", "6"),
        ("192.0.2.1", "", "6"),
        // Behind an image proxy are many readers.
        ("192.0.2.1", "github-camo (876de43e)", "7"),
        ("192.0.2.1", "github-camo (876de43e)", "8"),
        ("192.0.2.1", "Googlebot", "8"),
    ] {
        assert_eq!(hit(&app, "example.com/a", address, agent).await, expected, "{address} {agent}");
    }
    assert_eq!(hit(&app, "example.com/b", "192.0.2.1", "a").await, "1", "another page");
    // The cookie that a visitor gets goes on with the same value: a browser is not counted a second time.
    let (value, cookie) = counted(count(&app, "example.com/c").header("user-agent", "a")).await;
    assert!(value == "1" && cookie.len() == "lc_12345678=".len() + 22, "{cookie}");
    let again = |cookie: &str| count(&app, "example.com/c").header("cookie", cookie.to_owned());
    assert_eq!(counted(again(&cookie).header("user-agent", "a")).await, ("1".to_owned(), String::new()));
    // A visitor with a cookie is known by it, whatever the address and the agent.
    assert_eq!(counted(again(&cookie).header("user-agent", "b")).await, ("1".to_owned(), String::new()));
    // A visitor who has a cookie of another page has cookies, and gets one here.
    let (value, own) = counted(again("lc_other123=x").header("user-agent", "a")).await;
    assert!(value == "2" && !own.is_empty() && own != cookie, "{own}");
}

async fn the_window_ends(environment: &[(&str, &str)]) {
    let window = ("LIVECOUNTER__HITS__WINDOW", "1s");
    let app = TestApp::with(&[environment, &[GUARD, window]].concat()).await;
    assert_eq!(counted(count(&app, "example.com")).await.0, "1");
    until("the window is over", async || counted(count(&app, "example.com")).await.0 == "2").await;
}

#[tokio::test]
async fn clients_without_cookies_are_counted_once_in_one_process() {
    clients_without_cookies_are_counted_once(&[]).await;
    the_window_ends(&[]).await;
}

#[tokio::test]
async fn clients_without_cookies_are_counted_once_in_redis() {
    let redis = RedisServer::start();
    let url = redis.url();
    let environment = [("REDIS_URL", url.as_str()), ("GRIP_URL", PROXY_URL.as_str())];
    clients_without_cookies_are_counted_once(&environment).await;
    redis.cli(&["FLUSHALL"]);
    the_window_ends(&environment).await;
}

#[tokio::test]
async fn origins_on_one_redis_recognise_the_same_visitors() {
    let redis = RedisServer::start();
    let url = redis.url();
    let environment = [("REDIS_URL", url.as_str()), ("GRIP_URL", PROXY_URL.as_str()), GUARD];
    let [first, second] = [TestApp::with(&environment).await, TestApp::with(&environment).await];
    for app in [&first, &second, &first] {
        assert_eq!(counted(count(app, "example.com")).await.0, "1");
    }
}

#[tokio::test]
async fn where_the_guard_is_off_each_visit_without_a_cookie_counts() {
    for settings in [&[][..], &[GUARD, ("LIVECOUNTER__HITS__WINDOW", "0s")]] {
        let app = TestApp::with(settings).await;
        for expected in ["1", "2"] {
            assert_eq!(counted(count(&app, "example.com")).await.0, expected, "{settings:?}");
        }
    }
    // Without trusted proxies, what a client writes into X-Forwarded-For makes no other visitor of it.
    let app = TestApp::with(&[GUARD]).await;
    for address in ["192.0.2.1", "192.0.2.2"] {
        assert_eq!(hit(&app, "example.com", address, "a").await, "1");
    }
}

#[tokio::test]
async fn no_cookie_makes_the_service_fail_or_count_for_another_page() {
    let app = TestApp::with(&[GUARD]).await;
    let (_, cookie) = counted(count(&app, "example.com")).await;
    let (name, value) = cookie.split_once('=').expect("a cookie");
    let many = "lc_aaaaaaaa=1; ".repeat(500);
    for (expected, sent) in [
        ("1", cookie.clone()),
        ("1", format!("{cookie}; {cookie}")),
        ("1", format!("{name}=; {cookie}")),
        ("1", format!("{many}{cookie}")),
        ("1", "x=y; ".repeat(1_600) + &cookie),
        // Neither the page's cookie nor no cookie at all: new visitors.
        ("2", format!("{name}={value}x")),
        ("3", format!("{name}={}", "a".repeat(8_000))),
        // Bytes that are no text: as without cookies.
        ("3", format!("{name}=\u{e9}{value}")),
        // So many cookies of ours that there is no room for another: counted without one.
        ("4", many.clone()),
        ("5", many),
    ] {
        let request: RequestBuilder = count(&app, "example.com").header("cookie", sent.as_bytes());
        let answer = request.answer().await;
        assert_eq!(answer.status(), 200, "{sent:.60}");
        let told = answer.text().await.expect("a number");
        assert_eq!(told, expected, "{sent:.60}");
    }
}

/// Everything that Redis has, as text.
fn all_of(redis: &RedisServer) -> String {
    let script = "
        local all = {}
        for _, key in ipairs(redis.call('KEYS', '*')) do
            local kind = redis.call('TYPE', key).ok
            local value = kind == 'hash' and redis.call('HGETALL', key) or kind == 'zset' and redis.call('ZRANGE', key, 0, -1)
                or {redis.call('GET', key)}
            all[#all + 1] = key .. ' ' .. table.concat(value, ' ')
        end
        return table.concat(all, '\\n')";
    redis.cli(&["EVAL", script, "0"])
}

#[tokio::test]
async fn neither_log_nor_store_has_salts_addresses_or_agents() {
    const SECRETS: [&str; 3] = ["198.51.100.77", "2001:db8:77", "Unusual-Agent"];
    let redis = RedisServer::start();
    let (url, directory) = (redis.url(), tempfile::tempdir().expect("a directory"));
    let path = directory.path().join("livecounter.db").display().to_string();
    let both = [GUARD, TRUSTED, ("LIVECOUNTER__HITS__UNIQUES", "true"), ("RUST_LOG", "livecounter=trace")];
    for store in [
        &[("REDIS_URL", url.as_str()), ("GRIP_URL", PROXY_URL.as_str())][..],
        &[("LIVECOUNTER__SQLITE__PATH", path.as_str())],
    ] {
        let origin = Origin::start(&[store, &both].concat()).await;
        for address in ["198.51.100.77", "2001:db8:77::1"] {
            let request =
                client().get(origin.url("/count?url=example.com")).header("x-forwarded-for", address);
            let answer = request.header("user-agent", "Unusual-Agent/7").answer().await;
            assert!(answer.status() == 200 && !header(&answer, "set-cookie").is_empty());
        }
        let wrong = client().get(origin.url("/count?url=//")).header("x-forwarded-for", "198.51.100.77");
        assert_eq!(wrong.header("user-agent", "Unusual-Agent/7").answer().await.status(), 400);
        let salt = redis.cli(&["GET", "lc:{b0}:salt"]);
        let (_, salt) = salt.trim().split_once(' ').expect("the day, then the salt");
        assert!(salt.len() > 40, "{salt}");
        for secret in SECRETS.iter().chain([&salt]) {
            assert_eq!(origin.lines(secret), Vec::<String>::new());
        }
        drop(origin);
    }
    let stored = all_of(&redis);
    assert!(stored.contains("site-example.com"), "{stored}");
    for entry in std::fs::read_dir(directory.path()).expect("a directory") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
        for (bytes, secret) in
            SECRETS.iter().flat_map(|secret| [(&bytes[..], secret), (stored.as_bytes(), secret)])
        {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
        }
    }
}
