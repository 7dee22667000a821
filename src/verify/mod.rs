//! Checks a running service from outside, as its users reach it: through whatever proxies and caches stand in front. Knows the interface that
//! `docs/http-api.md` describes, and no part that serves it. Any server may answer, so every wait and every size has a bound.

mod alpn;
mod base;
mod checks;
mod plan;
mod probe;
mod reader;
mod reply;
mod report;
mod session;
mod stream;

use tokio::time::{Instant, timeout_at};

use session::CheckSession;

pub use base::{Base, ParseBaseError};
pub use plan::VerifyPlan;
pub use probe::{ClientKey, ParseClientKeyError};
pub use report::{CheckLine, CheckTotals, Verdict};

/// All checks together may take this many times as long as one step.
const STEPS_IN_ALL: u32 = 6;

/// Runs all checks in order, and hands each line to `report` when its check is done. Fails only if the system has no TLS or no random numbers.
pub async fn verify(plan: VerifyPlan, report: impl FnMut(&CheckLine)) -> Result<CheckTotals, String> {
    let session = CheckSession::new(plan)?;
    let deadline = Instant::now() + session.probe.timeout * STEPS_IN_ALL;
    let mut run = Run { session, report, deadline, sum: CheckTotals::default() };
    run.check("read", checks::read).await;
    run.check("errors", checks::errors).await;
    run.check("private", checks::private).await;
    run.check("http2", checks::http2).await;
    run.check("cors", checks::cors).await;
    run.check("head", checks::head).await;
    run.check("stream", checks::stream).await;
    run.check("list", checks::list).await;
    run.check("add", checks::add).await;
    run.check("live", checks::live).await;
    run.check("cache", checks::cache).await;
    run.check("repeat", checks::repeat).await;
    run.check("reconnect", checks::reconnect).await;
    Ok(run.sum)
}

/// The checks as they run, one after the other.
struct Run<R> {
    session: CheckSession,
    report: R,
    deadline: Instant,
    sum: CheckTotals,
}

impl<R: FnMut(&CheckLine)> Run<R> {
    /// Runs one check, unless the counter could not be read or the time is over.
    async fn check(&mut self, name: &'static str, check: impl AsyncFnOnce(&mut CheckSession) -> Verdict) {
        let verdict = match &self.session.stopped {
            Some(reason) => Verdict::Skipped(reason.clone()),
            None => match timeout_at(self.deadline, check(&mut self.session)).await {
                Ok(verdict) => verdict,
                Err(_) => {
                    let all = self.session.probe.timeout * STEPS_IN_ALL;
                    self.session.stopped = Some("the time is over".to_owned());
                    Verdict::Failed(format!(
                        "not done when all checks had taken {all:?}; try a longer --timeout"
                    ))
                }
            },
        };
        let line = CheckLine { name, verdict };
        self.sum.add(&line.verdict);
        (self.report)(&line);
    }
}
