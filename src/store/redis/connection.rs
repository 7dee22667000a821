//! One multiplexed connection to one Redis. It is opened when a command first needs it, and opened again when it is lost.
//!
//! This file never repeats a command that may have reached Redis: an increment could count twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, PushInfo, PushKind, RedisError, RedisResult,
    ServerErrorKind, Value,
};

use super::call::Call;
use super::sentinel::Sentinels;
use super::wait::Waits;

/// Opening a connection takes at most this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause between two attempts to connect. Each further pause is twice as long, up to the longest.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The server to connect to.
pub(super) enum Server {
    /// A Redis with a fixed address.
    Fixed(Box<Client>),
    /// The server that the Sentinels name as the master at the time of connecting.
    Master(Arc<Sentinels>),
}

/// See the top of the module.
pub(super) struct RedisConnection {
    server: Server,
    timeout: Duration,
    open: Mutex<Option<OpenConnection>>,
    /// Held while a caller connects. After a failed attempt it holds the error, until a task that goes on trying succeeds.
    connecting: tokio::sync::Mutex<Option<RedisError>>,
}

#[derive(Clone)]
struct OpenConnection {
    connection: MultiplexedConnection,
    /// The task of the connection sets this when the connection breaks, so that a caller does not use an idle connection that
    /// has broken. The task that watches the Sentinels sets it when they name another master.
    lost: Arc<AtomicBool>,
    waits: Arc<Waits>,
}

impl RedisConnection {
    /// A connection to `server`; every answer must come within `timeout`.
    pub(super) fn new(server: Server, timeout: Duration) -> Self {
        let (open, connecting) = Default::default();
        RedisConnection { server, timeout, open, connecting }
    }

    /// Sends one command. An error that Redis answers is returned as an error.
    pub(super) async fn query(self: &Arc<Self>, command: &Cmd) -> RedisResult<Value> {
        self.send(Call::of(command)).await
    }

    /// Sends a [`Call`], and waits for the replicas that must have the change.
    pub(super) async fn send(self: &Arc<Self>, call: Call<'_>) -> RedisResult<Value> {
        let mut open = self.opened().await?;
        let mut answer = call.over(&mut open.connection).await;
        if let (Ok(_), Some(wait)) = (&answer, call.wait)
            && let Err(error) = open.waits.after_write(wait, &mut open.connection).await
        {
            answer = Err(error);
        }
        self.drop_if_useless(&open, answer.as_ref().err());
        answer
    }

    /// Sends commands at once. There is an answer for each of them, which may be an error.
    pub(super) async fn send_all(self: &Arc<Self>, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        let mut open = self.opened().await?;
        let answers = open.connection.send_packed_commands(pipeline, 0, pipeline.len()).await;
        let refused = |answer: &Value| match answer {
            Value::ServerError(error) => Some(RedisError::from(error.clone())),
            _ => None,
        };
        let error = match &answers {
            Ok(answers) => answers.iter().find_map(refused),
            Err(error) => Some(error.clone()),
        };
        self.drop_if_useless(&open, error.as_ref());
        answers
    }

    /// The connection. After a failed attempt to connect, calls fail at once until a task has connected. So many calls do not
    /// become many attempts, and none of them delays the other calls of its batch.
    async fn opened(self: &Arc<Self>) -> RedisResult<OpenConnection> {
        if let Some(open) = self.current() {
            return Ok(open);
        }
        let mut failure = self.connecting.lock().await;
        if let Some(open) = self.current() {
            return Ok(open);
        }
        if let Some(error) = failure.as_ref() {
            return Err(error.clone());
        }
        match self.connect().await {
            Ok(open) => {
                *self.lock() = Some(open.clone());
                Ok(open)
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
        let mut open = self.lock();
        if open.as_ref().is_some_and(|open| open.lost.load(Ordering::Relaxed)) {
            *open = None;
        }
        open.clone()
    }

    fn drop_if_useless(&self, used: &OpenConnection, error: Option<&RedisError>) {
        if !error.is_some_and(ends_connection) {
            return;
        }
        let mut open = self.lock();
        if open.as_ref().is_some_and(|open| Arc::ptr_eq(&open.lost, &used.lost)) {
            *open = None;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<OpenConnection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries to connect until an attempt succeeds, or until the [`RedisConnection`] is dropped.
async fn connect_again(connection: Weak<RedisConnection>) {
    let mut pause = PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(2 * pause);
        let Some(connection) = connection.upgrade() else { return };
        let attempt = connection.connect().await;
        let mut failure = connection.connecting.lock().await;
        match attempt {
            Ok(open) => {
                *connection.lock() = Some(open);
                *failure = None;
                return;
            }
            Err(error) => *failure = Some(error),
        }
    }
}

/// Whether a connection must be replaced after this error. That includes a timeout, since the server may be gone without
/// having closed the connection, and a master that has become a replica, since the new master must be looked up.
fn ends_connection(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => kind == ServerErrorKind::ReadOnly,
        ErrorKind::Extension => false,
        _ => true,
    }
}
