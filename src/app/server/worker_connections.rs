//! The open connections of one worker. A task looks at all of them now and then, and wakes those that must end. A timer for each
//! connection would take more memory than all the rest that this project adds to a connection.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Poll;

use actix_server::GracefulShutdownSignal;
use slab::Slab;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::exchange::Exchange;
use super::usage::{Patience, Ticks};
use crate::http::Occupancy;

/// The open connections of one worker.
pub(super) struct WorkerConnections {
    ticks: Ticks,
    /// The number of ticks so far.
    now: Cell<u32>,
    /// The service stops: a connection ends when its request has been answered.
    stopping: Cell<bool>,
    open: RefCell<Slab<Rc<Exchange>>>,
    /// Counts the connections of all workers of a server.
    occupancy: Option<Arc<Occupancy>>,
}

/// A connection's registration with its worker. Dropping the registration removes the connection.
pub(super) struct Registration {
    worker: Rc<WorkerConnections>,
    key: usize,
}

impl WorkerConnections {
    /// No connection yet. Tasks on the calling thread's runtime wake those that must end, and all of them at `stop`.
    pub(super) fn start(
        patience: Patience,
        stop: GracefulShutdownSignal,
        occupancy: Option<Arc<Occupancy>>,
    ) -> Rc<Self> {
        let worker = Rc::new(WorkerConnections {
            ticks: patience.ticks(),
            now: Cell::default(),
            stopping: Cell::default(),
            open: RefCell::default(),
            occupancy,
        });
        actix_web::rt::spawn(WorkerConnections::watch(Rc::downgrade(&worker), patience));
        actix_web::rt::spawn(WorkerConnections::stop(Rc::downgrade(&worker), stop));
        worker
    }

    /// Completes when the service stops. Only tasks of connections that have been added may wait for it: they are woken then.
    pub(super) fn stopped(self: Rc<Self>) -> impl Future<Output = ()> {
        poll_fn(move |_| if self.stopping.get() { Poll::Ready(()) } else { Poll::Pending })
    }

    /// Adds a connection that begins now.
    pub(super) fn add(self: &Rc<Self>, exchange: &Rc<Exchange>) -> Registration {
        exchange.usage.begins(self.now.get());
        if let Some(occupancy) = &self.occupancy {
            occupancy.connection_begins();
        }
        let key = self.open.borrow_mut().insert(Rc::clone(exchange));
        Registration { worker: Rc::clone(self), key }
    }

    /// Ticks until the worker has ended.
    async fn watch(worker: Weak<Self>, patience: Patience) {
        let mut ticks = interval_at(Instant::now() + patience.tick(), patience.tick());
        // If the whole process was stopped for a while, its clients could not be answered either, so that time does not count.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(worker) = worker.upgrade() else { return };
            worker.tick();
        }
    }

    async fn stop(worker: Weak<Self>, stop: GracefulShutdownSignal) {
        stop.notified().await;
        let Some(worker) = worker.upgrade() else { return };
        worker.stopping.set(true);
        worker.open.borrow().iter().for_each(|(_, exchange)| exchange.wake());
    }

    fn tick(&self) {
        let now = self.now.get().wrapping_add(1);
        self.now.set(now);
        for (_, exchange) in self.open.borrow().iter() {
            if exchange.usage.is_over(now, self.ticks) || exchange.was_kept(now, self.ticks) {
                exchange.wake();
            }
        }
    }
}

impl Registration {
    /// The number of ticks so far.
    pub(super) fn now(&self) -> u32 {
        self.worker.now.get()
    }

    /// Whether the registered connection, which is that of `exchange`, waits for no request any more. Its task is woken when that is so.
    pub(super) fn was_kept(&self, exchange: &Exchange) -> bool {
        exchange.was_kept(self.now(), self.worker.ticks)
    }

    /// Whether the registered connection, which is that of `exchange`, must end. Its task is woken when it must.
    pub(super) fn is_over(&self, exchange: &Exchange) -> bool {
        exchange.usage.is_over(self.now(), self.worker.ticks)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(occupancy) = &self.worker.occupancy {
            occupancy.connection_ends();
        }
        // Dropping the exchange may drop a task, which must not find the connections borrowed.
        let _exchange = self.worker.open.borrow_mut().try_remove(self.key);
    }
}
