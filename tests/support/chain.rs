//! The whole chain: Pushpin, the cache, origins, Redis; all real.

use super::app::TestApp;
use super::http::{client, metric};
use super::port::Port;
use super::pushpin::{Options, Pushpin};
use super::redis::RedisServer;
use super::varnish::{API_KEY, Varnish};
use super::wait;

/// A running chain. Fields are dropped in this order: origins first, so that they can announce their pending changes.
pub struct Chain {
    pub origins: Vec<TestApp>,
    pub pushpin: Pushpin,
    pub cache: Varnish,
    pub redis: RedisServer,
    _ports: Vec<Port>,
}

impl Chain {
    /// A chain with this number of origins.
    pub async fn start(origins: usize) -> Chain {
        Chain::with(origins, &[], Options::default()).await
    }

    /// A chain whose origins and Pushpin have other settings.
    pub async fn with(origins: usize, environment: &[(&str, &str)], pushpin: Options) -> Chain {
        let redis = RedisServer::start();
        let ports: Vec<Port> = (0..origins).map(|_| Port::reserve()).collect();
        let addresses: Vec<_> = ports.iter().map(Port::addr).collect();
        let cache = Varnish::start(&addresses).await;
        let pushpin = Pushpin::with(cache.addr(), pushpin).await;
        let mut chain = Chain { origins: Vec::new(), pushpin, cache, redis, _ports: ports };
        for address in addresses {
            let origin = chain.origin(&address.to_string(), environment).await;
            chain.origins.push(origin);
        }
        chain.cache.until_healthy(origins).await;
        let through = chain.pushpin.url("/counters/warm-up/");
        let answers = async || client().get(&through).send().await.is_ok_and(|answer| answer.status() == 200);
        wait::until("the chain answers", answers).await;
        chain
    }

    /// Starts an origin of this chain on an address.
    pub async fn origin(&self, listen: &str, environment: &[(&str, &str)]) -> TestApp {
        let (redis, grip, api) = (self.redis.url(), self.pushpin.grip_url(), self.cache.api_url());
        let mut settings = vec![
            ("LIVECOUNTER__LISTEN", listen),
            ("REDIS_URL", &redis),
            ("GRIP_URL", &grip),
            ("FASTLY_SERVICE_ID", "local"),
            ("FASTLY_API_KEY", API_KEY),
            ("LIVECOUNTER__FASTLY__API_URL", &api),
        ];
        settings.extend(environment);
        TestApp::with(&settings).await
    }

    /// The sum of a metric's lines that contain `part`, over all origins.
    pub async fn metric(&self, part: &str) -> f64 {
        let mut sum = 0.0;
        for origin in &self.origins {
            sum += metric(&origin.address, part).await.unwrap_or_default();
        }
        sum
    }
}
