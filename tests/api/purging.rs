//! Purges, against a server that accepts only the requests that Fastly documents: `POST /service/{id}/purge`, `bulk-purge-tag` of
//! <https://www.fastly.com/documentation/reference/api/purging/>.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::app::TestApp;
use crate::support::http::{Ask, client, metric};
use crate::support::raw::{header, read_request};
use crate::support::wait::until;

const SOON: Duration = Duration::from_secs(10);

/// The requests so far, and how the next one is answered.
#[derive(Default)]
struct ApiState {
    /// How often each key was purged.
    purged: HashMap<String, usize>,
    /// Requests that Fastly would refuse, with the reason.
    wrong: Vec<String>,
    /// The value of `Fastly-Soft-Purge` of each request, empty if there was none.
    soft: Vec<String>,
    arrivals: Vec<Instant>,
    /// The next request is refused, with this header.
    refuse: Option<&'static str>,
}

/// A stand-in for api.fastly.com.
struct Api {
    addr: SocketAddr,
    state: Arc<Mutex<ApiState>>,
    serving: JoinHandle<()>,
}

impl Api {
    async fn start() -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("its address");
        let state = Arc::new(Mutex::new(ApiState::default()));
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Api { addr, state, serving }
    }

    fn look<T>(&self, at: impl Fn(&mut ApiState) -> T) -> T {
        at(&mut self.state.lock().expect("no panic"))
    }

    /// Waits until the requests so far satisfy a condition.
    async fn until(&self, reached: impl Fn(&ApiState) -> bool) {
        let mut poll = tokio::time::interval(Duration::from_millis(20));
        let wait = async {
            while !self.look(|state| reached(state)) {
                poll.tick().await;
            }
        };
        let in_time = tokio::time::timeout(SOON, wait).await;
        assert!(in_time.is_ok(), "wrong: {:?}", self.look(|state| state.wrong.clone()));
    }

    /// An origin that purges at this server.
    async fn origin(&self, extra: &[(&str, &str)]) -> TestApp {
        let url = format!("http://{}", self.addr);
        let mut settings = vec![
            ("FASTLY_SERVICE_ID", "SU1Z0isxPaozGVKXdv0eY"),
            ("FASTLY_API_KEY", "hush"),
            ("LIVECOUNTER__FASTLY__API_URL", &url),
        ];
        settings.extend(extra);
        TestApp::with(&settings).await
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Answers the requests of one connection.
async fn serve(mut stream: TcpStream, state: Arc<Mutex<ApiState>>) {
    while let Some((head, body)) = read_request(&mut stream).await {
        let answer = answer(&head, &body, &mut state.lock().expect("no panic"));
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

fn answer(head: &str, body: &[u8], state: &mut ApiState) -> String {
    state.arrivals.push(Instant::now());
    let (status, more, text) = if let Some(more) = state.refuse.take() {
        ("429 Too Many Requests", more, r#"{"msg":"You have exceeded your hourly rate limit"}"#.to_owned())
    } else if let Err(problem) = check(head, body) {
        state.wrong.push(format!("{problem}: {head}"));
        ("400 Bad Request", "", format!(r#"{{"msg":"{problem}"}}"#))
    } else {
        state.soft.push(header(head, "fastly-soft-purge").to_owned());
        let keys: Vec<&str> = header(head, "surrogate-key").split(' ').collect();
        let ids: Vec<String> = keys.iter().map(|key| format!(r#""{key}":"108-1391560174-974124""#)).collect();
        keys.into_iter().for_each(|key| *state.purged.entry(key.to_owned()).or_default() += 1);
        ("200 OK", "", format!("{{{}}}", ids.join(",")))
    };
    format!("HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\n\r\n{text}", text.len())
}

/// Checks everything that Fastly demands of the request.
fn check(head: &str, body: &[u8]) -> Result<(), &'static str> {
    let demand = |holds: bool, problem| if holds { Ok(()) } else { Err(problem) };
    let count = |name: &str| {
        let names = head.lines().filter_map(|line| line.split(':').next());
        names.filter(|other| other.eq_ignore_ascii_case(name)).count()
    };
    demand(head.starts_with("POST /service/SU1Z0isxPaozGVKXdv0eY/purge HTTP/1.1\r\n"), "another resource")?;
    demand(count("fastly-key") == 1 && header(head, "fastly-key") == "hush", "not authorised")?;
    demand(count("authorization") == 0 && count("cookie") == 0, "two credentials")?;
    demand(count("surrogate-key") == 1 && body.is_empty(), "keys not in one header alone")?;
    demand(count("content-length") == 1 && header(head, "content-length") == "0", "no length")?;
    demand(head.len() < 8192, "a head too long")?;
    let keys: Vec<&str> = header(head, "surrogate-key").split(' ').collect();
    demand(keys.len() <= 256, "more than 256 keys")?;
    let sound = |key: &&str| (1..=1024).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    demand(keys.iter().all(sound), "a key that is none")?;
    let soft = header(head, "fastly-soft-purge");
    demand(soft.is_empty() || soft == "1", "a strange softness")
}

async fn add(client: &reqwest::Client, app: &TestApp, id: &str) {
    let answer = client.post(app.counter(id)).answer().await;
    assert_eq!(answer.status(), 200, "{id}");
}

#[tokio::test]
async fn every_change_is_purged_twice_with_requests_that_fastly_takes() {
    let api = Api::start().await;
    let app = api.origin(&[]).await;
    // An id with every allowed character, and of the greatest length.
    let mut ids: Vec<String> = (0..600).map(|n| format!("c.{n}_~-{}", "x".repeat(40))).collect();
    ids.extend(["~".to_owned(), ".".repeat(3), "-".to_owned(), "Z".repeat(64)]);
    // One client for all POSTs: making six hundred clients takes seconds.
    let client = client();
    join_all(ids.iter().map(|id| add(&client, &app, id))).await;
    let keys: Vec<String> = ids.iter().map(|id| format!("counter-{id}")).collect();
    api.until(|state| keys.iter().all(|key| state.purged.get(key) >= Some(&2))).await;
    api.look(|state| {
        assert!(state.wrong.is_empty(), "{:?}", state.wrong);
        assert!(state.soft.iter().all(|soft| soft == "1"), "soft, unless it is set otherwise");
        assert!(state.arrivals.len() < ids.len(), "many a request: {}", state.arrivals.len());
    });
}

#[tokio::test]
async fn hard_purges_are_a_setting() {
    let api = Api::start().await;
    let app = api.origin(&[("LIVECOUNTER__FASTLY__SOFT_PURGE", "false")]).await;
    add(&client(), &app, "2").await;
    api.until(|state| state.soft.len() >= 2).await;
    api.look(|state| assert!(state.wrong.is_empty() && state.soft.iter().all(String::is_empty)));
}

#[tokio::test]
async fn a_rate_limit_is_obeyed_and_no_purge_is_forgotten() {
    let api = Api::start().await;
    let app = api.origin(&[]).await;
    api.look(|state| state.refuse = Some("Retry-After: 3\r\n"));
    let client = client();
    add(&client, &app, "first").await;
    // The purge has arrived before the origin has the answer to it.
    let refused = async || metric(&app.address, "livecounter_purge_failures_total ").await == Some(1.0);
    until("the refusal to reach the origin", refused).await;
    // The origin sends no purge for changes that come meanwhile either.
    let goes_on = async || {
        add(&client, &app, "second").await;
        api.look(|state| state.arrivals.len()) > 1
    };
    until("the next purge", goes_on).await;
    let both = ["counter-first", "counter-second"];
    api.until(|state| both.iter().all(|key| state.purged.contains_key(*key))).await;
    api.look(|state| {
        let waited = state.arrivals[1] - state.arrivals[0];
        assert!(waited >= Duration::from_secs(3), "{waited:?} between a refusal and the next purge");
        assert!(state.wrong.is_empty(), "{:?}", state.wrong);
    });
}
