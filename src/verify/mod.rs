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
    let mut run = Run { session, report, deadline, sum: CheckTotals::default(), left_out: 0 };
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
    run.report_left_out();
    Ok(run.sum)
}

/// The checks as they run, one after the other.
struct Run<R> {
    session: CheckSession,
    report: R,
    deadline: Instant,
    sum: CheckTotals,
    /// How many checks were not begun, as the session had stopped.
    left_out: usize,
}

impl<R: FnMut(&CheckLine)> Run<R> {
    /// Runs one check, unless the counter could not be read or the time is over.
    async fn check(&mut self, name: &'static str, check: impl AsyncFnOnce(&mut CheckSession) -> Verdict) {
        if self.session.stopped.is_some() {
            self.left_out += 1;
            return;
        }
        let verdict = match timeout_at(self.deadline, check(&mut self.session)).await {
            Ok(verdict) => verdict,
            Err(_) => {
                let all = self.session.probe.timeout * STEPS_IN_ALL;
                self.session.stopped = Some("the time is over".to_owned());
                Verdict::Failed(format!("not done when all checks had taken {all:?}; try a longer --timeout"))
            }
        };
        self.sum.add(&verdict);
        (self.report)(&CheckLine { name, verdict });
    }

    /// Reports the checks that were not begun, all in one line, as the reason is the same.
    fn report_left_out(&mut self) {
        let Some(reason) = self.session.stopped.take().filter(|_| self.left_out > 0) else { return };
        self.sum.skipped += self.left_out;
        let text = format!("{reason}; checks left out: {}", self.left_out);
        (self.report)(&CheckLine { name: "others", verdict: Verdict::Skipped(text) });
    }
}
