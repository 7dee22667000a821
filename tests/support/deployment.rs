//! The service as it is run: one process with its embedded store, and several origins on one Redis that clients reach in turn.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, mpsc};

use actix_web::web::{self, PayloadConfig};
use actix_web::{App, HttpResponse, HttpServer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::app::TestApp;
use super::http::metric;
use super::redis::RedisServer;
use super::server::Server;

/// The running service. Fields are dropped in this order: origins before their Redis.
pub struct Deployment {
    /// `http://127.0.0.1:PORT`
    pub address: String,
    /// The same as a socket address.
    pub addr: SocketAddr,
    origins: Vec<TestApp>,
    turns: Option<Turns>,
    _redis: Option<RedisServer>,
}

impl Deployment {
    /// One process, with its store in a file of its own.
    pub async fn in_process(settings: &[(&str, &str)]) -> Deployment {
        let origin = TestApp::with(settings).await;
        let (address, addr) = (origin.address.clone(), origin.addr);
        Deployment { address, addr, origins: vec![origin], turns: None, _redis: None }
    }

    /// Two origins on one Redis. Each connection leads to the other one than the connection before it.
    pub async fn two_origins(settings: &[(&str, &str)]) -> Deployment {
        let redis = RedisServer::start();
        let url = redis.url();
        let settings = [&[("REDIS_URL", url.as_str()), ("GRIP_URL", PROXY_URL.as_str())], settings].concat();
        let origins = vec![TestApp::with(&settings).await, TestApp::with(&settings).await];
        let turns = Turns::start(origins.iter().map(|origin| origin.addr).collect()).await;
        let addr = turns.addr;
        let address = format!("http://{addr}");
        Deployment { address, addr, origins, turns: Some(turns), _redis: Some(redis) }
    }

    /// The URL of a counter.
    pub fn counter(&self, id: &str) -> String {
        format!("{}/counters/{id}/", self.address)
    }

    /// Whether the service has no proxy that holds its streams.
    pub fn holds_streams(&self) -> bool {
        self.origins.len() == 1
    }

    /// The sum of a metric's lines that contain `part`, over all origins.
    pub async fn metric(&self, part: &str) -> f64 {
        let mut sum = 0.0;
        for origin in &self.origins {
            sum += metric(&origin.address, part).await.unwrap_or_default();
        }
        sum
    }

    /// Panics unless each of the origins has had its turn.
    fn assert_all_were_asked(&self) {
        let Some(turns) = &self.turns else { return };
        let taken = turns.taken.load(Relaxed);
        assert!(taken >= self.origins.len(), "only {taken} connections for {} origins", self.origins.len());
    }
}

impl Server for Deployment {
    fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// Runs a test with these settings on one process with its embedded store, and then on two origins with one Redis in turn.
pub async fn on_each_deployment(settings: &[(&str, &str)], test: impl AsyncFn(&Deployment)) {
    test(&Deployment::in_process(settings).await).await;
    let two = Deployment::two_origins(settings).await;
    test(&two).await;
    two.assert_all_were_asked();
}

/// The `GRIP_URL` of a proxy without listeners, which takes whatever is published: an origin on Redis must have a proxy, and if it
/// were not there, an origin would try for seconds to reach it before it ends. All tests of a process share it; it has a thread of
/// its own, as the thread of a test waits for the end of its origins.
pub static PROXY_URL: LazyLock<String> = LazyLock::new(|| {
    let (ready, started) = mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let app = || App::new().app_data(PayloadConfig::new(1 << 24)).default_service(web::to(take));
            let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0");
            let server = server.expect("a port");
            ready.send(server.addrs()[0]).expect("a test that waits");
            server.run().await.expect("to serve");
        });
    });
    format!("http://{}/", started.recv().expect("the proxy"))
});

async fn take(_: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// Leads one connection after the other to the next of the servers.
struct Turns {
    addr: SocketAddr,
    taken: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Turns {
    async fn start(servers: Vec<SocketAddr>) -> Turns {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (addr, taken) = (listener.local_addr().expect("its address"), Arc::<AtomicUsize>::default());
        let turns = Arc::clone(&taken);
        let accepting = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let server = servers[turns.fetch_add(1, Relaxed) % servers.len()];
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.expect("an origin");
                    // A side that leaves in the middle is no fault here: the other side sees it.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Turns { addr, taken, accepting }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
