//! What the checks of one run know of the service, and hand on to those that follow.

use reqwest::Url;

use super::base::Base;
use super::plan::VerifyPlan;
use super::probe::{Probe, Trouble};
use super::reply::CheckReply;
use super::stream::OpenStream;
use crate::domain::CounterId;

/// The state of a run.
#[derive(Debug)]
pub(super) struct CheckSession {
    pub(super) probe: Probe,
    pub(super) base: Base,
    pub(super) counter: CounterId,
    pub(super) read_only: bool,
    /// Makes the idempotency keys of this run different from those of all others.
    token: String,
    /// Why no further check makes sense.
    pub(super) stopped: Option<String>,
    /// The greatest value that the service has told.
    pub(super) value: i64,
    /// The streams that were opened; both or none.
    pub(super) streams: Vec<OpenStream>,
    /// The first addition was answered with this value.
    pub(super) added: Option<i64>,
}

impl CheckSession {
    pub(super) fn new(plan: VerifyPlan) -> Result<Self, String> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| format!("the system has no random numbers: {error}"))?;
        let probe = Probe::new(plan.key, plan.timeout).map_err(|error| format!("no HTTP client: {error}"))?;
        Ok(CheckSession {
            probe,
            base: plan.base,
            counter: plan.counter,
            read_only: plan.read_only,
            token: format!("{:016x}", u64::from_ne_bytes(random)),
            stopped: None,
            value: i64::MIN,
            streams: Vec::new(),
            added: None,
        })
    }

    /// The URL of the counter.
    pub(super) fn url(&self) -> Url {
        self.base.counter(&self.counter)
    }

    /// The idempotency key of an addition of this run.
    pub(super) fn idempotency_key(&self, number: u8) -> String {
        format!("verify-{}-{number}", self.token)
    }

    /// Reads the counter as JSON.
    pub(super) async fn read(&self) -> Result<i64, String> {
        let reply = self.probe.reply(self.probe.get(self.url(), "application/json")).await;
        self.value_of(&reply.map_err(|trouble| trouble.to_string())?)
    }

    /// Adds 1, with the idempotency key of this number.
    pub(super) async fn post(&self, number: u8) -> Result<CheckReply, Trouble> {
        self.probe.reply(self.probe.post(self.url(), &self.idempotency_key(number))).await
    }

    /// The value of the counter in an answer.
    pub(super) fn value_of(&self, reply: &CheckReply) -> Result<i64, String> {
        reply.counter(self.counter.as_str()).ok_or_else(|| reply.described())
    }
}
