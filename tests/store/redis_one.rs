//! The contract on one redis-server per test.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use livecounter::store::Store;
use livecounter::store::redis::RedisStore;

use crate::contract::{self, Backend, every_sentence};
use crate::support::redis::RedisServer;

/// Long enough for a thousand calls at once on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

#[async_trait]
impl Backend for RedisServer {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(RedisStore::connect(&self.url(), TIMEOUT).expect("a good address"))
    }

    async fn forget(&self) {
        self.cli(&["FLUSHALL"]);
    }
}

macro_rules! on_redis {
    ($($sentence:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $sentence() {
                contract::$sentence(&RedisServer::start()).await;
            }
        )*
    };
}
every_sentence!(on_redis);
