//! One multiplexed connection to one Redis, made when it is first needed and made anew when it is lost.
//!
//! Nothing that may have reached Redis is ever sent again from here: an increment could count twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, PushInfo, PushKind, RedisError, RedisResult,
    ServerErrorKind, Value,
};

use super::call::Call;
use super::sentinel::Sentinels;

/// Making a connection takes at most this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// After a failed attempt, calls fail at once for so long, doubled with each further one up to the longest: many waiting
/// calls must not become many attempts.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Who to connect to.
pub(super) enum Server {
    /// A Redis with a fixed address.
    Fixed(Box<Client>),
    /// Whoever the Sentinels call the master at the time of connecting.
    Master(Arc<Sentinels>),
}

/// See the top of the module.
pub(super) struct Link {
    server: Server,
    timeout: Duration,
    live: Mutex<Option<Live>>,
    /// Held while connecting; how the last attempt failed.
    connecting: tokio::sync::Mutex<Option<Failure>>,
    /// Held while replicas are waited for.
    waiting: tokio::sync::Mutex<()>,
}

struct Failure {
    error: RedisError,
    retry_at: Instant,
    pause: Duration,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    /// Set when the connection breaks, by its own task: so an idle connection that broke is noticed before it is used.
    /// Set too when the Sentinels name another master.
    lost: Arc<AtomicBool>,
}

impl Link {
    /// A link to `server`; every answer must come within `timeout`.
    pub(super) fn new(server: Server, timeout: Duration) -> Self {
        let (live, connecting, waiting) = Default::default();
        Link { server, timeout, live, connecting, waiting }
    }

    /// Sends one command. What Redis answers with an error is an error.
    pub(super) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        self.send(Call::of(command)).await
    }

    /// The same, with what must go before and behind the command.
    pub(super) async fn send(&self, call: Call<'_>) -> RedisResult<Value> {
        // A connection that waits for replicas serves nothing else meanwhile: sent behind it, the next call would spend its
        // time there.
        let _turn = match call.wait {
            Some(_) => Some(self.waiting.lock().await),
            None => None,
        };
        let mut live = self.live().await?;
        let answer = call.over(&mut live.connection).await;
        self.drop_if_useless(&live, answer.as_ref().err());
        answer
    }

    async fn live(&self) -> RedisResult<Live> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let mut failure = self.connecting.lock().await;
        if let Some(live) = self.current() {
            return Ok(live);
        }
        if let Some(failure) = failure.as_ref().filter(|failure| Instant::now() < failure.retry_at) {
            return Err(failure.error.clone());
        }
        match self.connect().await {
            Ok(live) => {
                *failure = None;
                *self.lock() = Some(live.clone());
                Ok(live)
            }
            Err(error) => {
                let pause = failure.as_ref().map_or(PAUSE, |before| LONGEST_PAUSE.min(2 * before.pause));
                *failure = Some(Failure { error: error.clone(), retry_at: Instant::now() + pause, pause });
                Err(error)
            }
        }
    }

    async fn connect(&self) -> RedisResult<Live> {
        let lost = Arc::new(AtomicBool::new(false));
        let broken = Arc::clone(&lost);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.timeout))
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    broken.store(true, Ordering::Relaxed);
                }
                Ok::<(), redis::aio::SendError>(())
            });
        let connection = match &self.server {
            Server::Fixed(client) => client.get_multiplexed_async_connection_with_config(&config).await?,
            Server::Master(sentinels) => {
                let master = sentinels.master().await?;
                let connection = master.get_multiplexed_async_connection_with_config(&config).await?;
                sentinels.watch(&master, &lost);
                connection
            }
        };
        Ok(Live { connection, lost })
    }

    fn current(&self) -> Option<Live> {
        let mut live = self.lock();
        if live.as_ref().is_some_and(|live| live.lost.load(Ordering::Relaxed)) {
            *live = None;
        }
        live.clone()
    }

    fn drop_if_useless(&self, used: &Live, error: Option<&RedisError>) {
        if !error.is_some_and(ends_connection) {
            return;
        }
        let mut live = self.lock();
        if live.as_ref().is_some_and(|live| Arc::ptr_eq(&live.lost, &used.lost)) {
            *live = None;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a connection is of no use after this error. A timeout counts: the other end may be gone without a word. So
/// does a master that has become a replica: the new master is to be asked for.
fn ends_connection(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => kind == ServerErrorKind::ReadOnly,
        ErrorKind::Extension => false,
        _ => true,
    }
}
