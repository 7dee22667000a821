//! No request influences the answer to another client's. Pushpin takes a body by its chunks and sends it on under the client's length, or sends
//! the body of a GET without a length; the rest of the body would begin the next request on its connection.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::app::TestApp;
use crate::support::chain::Chain;
use crate::support::front::Front;
use crate::support::http::{Ask, client};
use crate::support::pushpin::Pushpin;
use crate::support::raw::raw_head;
use crate::support::redis::RedisServer;
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(10);
/// How long the attacker waits for an answer, as a refused request may get none.
const ATTACKER_WAITS: Duration = Duration::from_secs(1);
/// The counters' values, which differ, so that a client that gets the value of another counter is noticed.
const GOOD: &str = "700";
const EVIL: &str = "666";

/// Headers that give a body two lengths; `{n}` is the length that cuts the body off.
const FRAMINGS: &[&str] = &[
    "Content-Length: {n}\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: {n}",
    "Content-Length: {n}\r\nTransfer-Encoding: Chunked",
    "Content-Length: {n}\r\nTransfer-Encoding:  chunked",
    "Content-Length: {n}\r\nTransfer-Encoding:\tchunked",
    "Content-Length: {n}\r\nTransfer-Encoding : chunked",
    "Content-Length: {n}\r\nTransfer-Encoding: chunked, identity",
    "Content-Length: {n}\r\nTransfer-Encoding: identity, chunked",
    "Content-Length: {n}\r\nTransfer-Encoding: xchunked",
    "Content-Length: {n}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Content-Length: {n}\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Content-Length: {n}\r\nContent-Length: {all}",
    "Content-Length: {all}\r\nContent-Length: {n}",
    "Content-Length: {n}, {all}",
    "Transfer-Encoding: chunked",
    "Content-Length: {n}\nTransfer-Encoding: chunked",
    "Content-Length: {n}\r\nTransfer-Encoding:\r\n chunked",
    "Content-Length: {n}\r\nTransfer-Encoding: \x0bchunked",
    "Content-Length: +{n}\r\nTransfer-Encoding: chunked",
    "Expect: 100-continue\r\nContent-Length: {n}\r\nTransfer-Encoding: chunked",
    // Pushpin removes headers that `Connection` names: the origin would then know neither where the body ends nor whether a proxy has signed.
    "Connection: Content-Length\r\nContent-Length: {all}",
    "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
    "Connection: Grip-Sig\r\nContent-Length: {n}\r\nTransfer-Encoding: chunked",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: {n}\r\nTransfer-Encoding: chunked",
];

/// The rest of the body: the head of an unfinished request, which the next client's head, Host included, completes.
const SMUGGLED: [&str; 2] =
    ["GET /counters/evil/ HTTP/1.1\r\nX-Ignore: ", "POST /counters/evil/ HTTP/1.1\r\nX-Ignore: "];

/// A request of the attacker: the server behind Pushpin may find another end of its body than Pushpin does. It has the same Host as the other
/// clients' requests, as Pushpin keeps connections for each Host.
fn attack(host: SocketAddr, method: &str, framing: &str, smuggled: &str) -> Vec<u8> {
    let own = r#"{"by":1}"#;
    let own = if method == "POST" { own } else { "" };
    let all = format!("{own}{smuggled}");
    let headers = framing.replace("{n}", &own.len().to_string()).replace("{all}", &all.len().to_string());
    let chunked = framing.to_lowercase().contains("chunked");
    let body = if chunked { format!("{:x}\r\n{all}\r\n0\r\n\r\n", all.len()) } else { all };
    format!(
        "{method} /counters/attacker/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{headers}\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn send_attack(public: SocketAddr, request: &[u8]) {
    let mut stream = TcpStream::connect(public).await.expect("a connection");
    stream.write_all(request).await.expect("to send");
    let mut answer = [0; 4096];
    // The answer does not matter, as it is the attacker's own.
    let _ = timeout(ATTACKER_WAITS, stream.read(&mut answer)).await;
}

/// Requests of other clients: each must be answered with its own counter's value.
async fn victims(public: SocketAddr, case: &str) {
    let url = format!("http://{public}/counters/good/");
    let value = client().get(&url).send().await.unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(
        (value.status().as_u16(), value.text().await.expect("a text")),
        (200, format!("{GOOD}\n")),
        "{case}"
    );
    let counted = client().post(format!("http://{public}/counters/counted/")).send().await;
    let counted = counted.unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(counted.status(), 200, "{case}");
    let counted: u64 = counted.text().await.expect("a text").trim().parse().expect("a number");
    assert!(counted < EVIL.parse().expect("a number"), "{case}: counted elsewhere, {counted}");
    let mut listener = Listener::connect(public, "/counters/good/").await;
    let event = listener.next(SOON).await;
    assert_eq!(event.data, GOOD, "{case}");
    assert!(event.id.is_some_and(|id| id.starts_with("good@")), "{case}");
}

/// Reads until `stop` is set. Returns the number of reads.
async fn honest(public: SocketAddr, stopped: watch::Receiver<bool>) -> u32 {
    let (client, url, mut served) = (client(), format!("http://{public}/counters/good/"), 0);
    while !*stopped.borrow() {
        let answer = client.get(&url).answer().await;
        assert_eq!(answer.text().await.expect("a text"), format!("{GOOD}\n"));
        served += 1;
    }
    served
}

async fn value(origin: &TestApp, id: &str) -> u64 {
    let answer = client().get(origin.counter(id)).answer().await;
    answer.text().await.expect("a text").trim().parse().expect("a number")
}

/// Runs without an attack, then with each attack, with one and three of its requests before those of other clients.
async fn no_client_gets_the_answer_of_another(public: SocketAddr, origin: &TestApp) {
    for (id, by) in [("good", GOOD), ("evil", EVIL)] {
        let added = client().post(format!("{}?by={by}", origin.counter(id))).answer().await;
        assert_eq!(added.status(), 200);
    }
    // Other clients read at the same time.
    let (stop, stopped) = watch::channel(false);
    let honest = [(); 2].map(|()| tokio::spawn(honest(public, stopped.clone())));
    victims(public, "before any attack").await;
    let mut rounds = 1;
    for framing in FRAMINGS {
        for method in ["POST", "GET"] {
            for smuggled in SMUGGLED {
                for attacks in [1, 3] {
                    for _ in 0..attacks {
                        send_attack(public, &attack(public, method, framing, smuggled)).await;
                    }
                    let case = format!("{attacks} times {method} {framing:?} {smuggled:?}");
                    victims(public, &case).await;
                    rounds += 1;
                }
            }
        }
    }
    stop.send_replace(true);
    for served in honest {
        assert!(served.await.expect("each to be answered for itself") > 0);
    }
    assert_eq!(value(origin, "counted").await, rounds, "each victim's POST is counted where it belongs");
    assert_eq!(value(origin, "evil").await.to_string(), EVIL, "and nowhere else");
}

#[tokio::test]
async fn no_victim_is_answered_for_another_straight_to_an_origin() {
    let redis = RedisServer::start();
    // Nothing listens at this control address. The origin needs only the key, by which it recognizes its proxy.
    let settings = [
        ("REDIS_URL", redis.url()),
        ("GRIP_URL", "http://127.0.0.1:9/?iss=test&key=the-key-of-a-test".to_owned()),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let origin = TestApp::with(&settings).await;
    let pushpin = Pushpin::start(origin.addr).await;
    no_client_gets_the_answer_of_another(pushpin.addr(), &origin).await;
}

#[tokio::test]
async fn no_victim_is_answered_for_another_through_the_cache() {
    let chain = Chain::start(1).await;
    no_client_gets_the_answer_of_another(chain.pushpin.addr(), &chain.origins[0]).await;
}

#[tokio::test]
async fn no_victim_is_answered_for_another_through_the_front() {
    let chain = Chain::start(1).await;
    let front = Front::start(chain.pushpin.addr(), chain.cache.addr()).await;
    no_client_gets_the_answer_of_another(front.addr(), &chain.origins[0]).await;
}

#[tokio::test]
async fn an_origin_serves_nothing_behind_a_request_of_a_proxy() {
    let app = TestApp::spawn().await;
    let requests = "POST /counters/2/ HTTP/1.1\r\nHost: x\r\nGrip-Sig: x\r\n\r\n\
                    POST /counters/2/ HTTP/1.1\r\nHost: x\r\n\r\n";
    let (status, head) = raw_head(app.addr, requests.as_bytes()).await;
    assert_eq!(status, 200);
    assert!(head.to_lowercase().contains("\r\nconnection: close"), "{head}");
    let mut stream = TcpStream::connect(app.addr).await.expect("a connection");
    stream.write_all(requests.as_bytes()).await.expect("to send");
    let mut all = Vec::new();
    timeout(SOON, stream.read_to_end(&mut all)).await.expect("an end").expect("to receive");
    let all = String::from_utf8_lossy(&all).into_owned();
    assert_eq!(all.matches("HTTP/1.1 200").count(), 1, "{all}");
    assert_eq!(value(&app, "2").await, 2, "one of each two");
    // A client without a proxy keeps its connection.
    let requests = requests.replace("Grip-Sig: x\r\n", "");
    let (_, head) = raw_head(app.addr, requests.as_bytes()).await;
    assert!(!head.to_lowercase().contains("\r\nconnection: close"), "{head}");
}
