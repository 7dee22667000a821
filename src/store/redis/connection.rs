//! One multiplexed connection to one Redis, made when it is first needed and made anew when it is lost.
//!
//! Nothing that may have reached Redis is ever sent again from here: an increment could count twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, PushInfo, PushKind, RedisError, RedisResult,
    ServerErrorKind, Value,
};

use super::call::Call;
use super::sentinel::Sentinels;
use super::wait::Waits;

/// Making a connection takes at most this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Between attempts, doubled with each further one up to the longest.
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
pub(super) struct RedisConnection {
    server: Server,
    timeout: Duration,
    live: Mutex<Option<OpenConnection>>,
    /// Held while connecting for the first time; how the last attempt failed, while a task makes others.
    connecting: tokio::sync::Mutex<Option<RedisError>>,
}

#[derive(Clone)]
struct OpenConnection {
    connection: MultiplexedConnection,
    /// Set when the connection breaks, by its own task: so an idle connection that broke is noticed before it is used.
    /// Set too when the Sentinels name another master.
    lost: Arc<AtomicBool>,
    waits: Arc<Waits>,
}

impl RedisConnection {
    /// A connection to `server`; every answer must come within `timeout`.
    pub(super) fn new(server: Server, timeout: Duration) -> Self {
        let (live, connecting) = Default::default();
        RedisConnection { server, timeout, live, connecting }
    }

    /// Sends one command. What Redis answers with an error is an error.
    pub(super) async fn query(self: &Arc<Self>, command: &Cmd) -> RedisResult<Value> {
        self.send(Call::of(command)).await
    }

    /// The same, with what must go before the command, and with waiting for the replicas that must have it.
    pub(super) async fn send(self: &Arc<Self>, call: Call<'_>) -> RedisResult<Value> {
        let mut live = self.live().await?;
        let mut answer = call.over(&mut live.connection).await;
        if let (Ok(_), Some(wait)) = (&answer, call.wait)
            && let Err(error) = live.waits.after_write(wait, &mut live.connection).await
        {
            answer = Err(error);
        }
        self.drop_if_useless(&live, answer.as_ref().err());
        answer
    }

    /// The connection. After a failed attempt to make one, calls fail at once until a task of its own has made it: they
    /// must not become many attempts, nor wait for one that takes long, with whatever goes out together with them.
    async fn live(self: &Arc<Self>) -> RedisResult<OpenConnection> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let mut failure = self.connecting.lock().await;
        if let Some(live) = self.current() {
            return Ok(live);
        }
        if let Some(error) = failure.as_ref() {
            return Err(error.clone());
        }
        match self.connect().await {
            Ok(live) => {
                *self.lock() = Some(live.clone());
                Ok(live)
            }
            Err(error) => {
                *failure = Some(error.clone());
                tokio::spawn(connect_again(Arc::downgrade(self)));
                Err(error)
            }
        }
    }

    async fn connect(&self) -> RedisResult<OpenConnection> {
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
        Ok(OpenConnection { connection, lost, waits: Arc::default() })
    }

    fn current(&self) -> Option<OpenConnection> {
        let mut live = self.lock();
        if live.as_ref().is_some_and(|live| live.lost.load(Ordering::Relaxed)) {
            *live = None;
        }
        live.clone()
    }

    fn drop_if_useless(&self, used: &OpenConnection, error: Option<&RedisError>) {
        if !error.is_some_and(ends_connection) {
            return;
        }
        let mut live = self.lock();
        if live.as_ref().is_some_and(|live| Arc::ptr_eq(&live.lost, &used.lost)) {
            *live = None;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<OpenConnection>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects, however often it takes, for as long as somebody has the connection.
async fn connect_again(connection: Weak<RedisConnection>) {
    let mut pause = PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(2 * pause);
        let Some(connection) = connection.upgrade() else { return };
        let attempt = connection.connect().await;
        let mut failure = connection.connecting.lock().await;
        match attempt {
            Ok(live) => {
                *connection.lock() = Some(live);
                *failure = None;
                return;
            }
            Err(error) => *failure = Some(error),
        }
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
