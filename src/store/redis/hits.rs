//! Counts hits: one call of a script for all hits of a batch, and a second call if the connection breaks before the answer.

use redis::{Cmd, RedisResult};

use super::batch::CHUNK;
use super::hit_call::HitCall;
use super::runner::ScriptRunner;
use super::script;
use crate::store::{Hit, HitWritten, Values, WriteError, random};

/// Counts hits of the `store` that has this runner; the answers are in the order of `hits`.
pub(super) async fn hit(runner: &ScriptRunner, store: &dyn Values, hits: &[Hit]) -> Vec<HitWritten> {
    if !runner.topology.is_one() || hits.iter().any(|hit| hit.claim.is_some()) {
        return hit_by_writes(store, hits.iter()).await;
    }
    let mut answers = Vec::with_capacity(hits.len());
    // All hits of a call have one lifetime, and so have all hits of a process.
    let of_one_lifetime = hits.chunk_by(|one, next| one.lifetime == next.lifetime);
    for chunk in of_one_lifetime.flat_map(|hits| hits.chunks(CHUNK)) {
        answers.extend(count_chunk(runner, chunk).await);
    }
    // Of several hits that a page has refused together, it may count some.
    let is_refused = |answer: &HitWritten| matches!(answer.page, Err(WriteError::OutOfRange));
    if hits.len() > 1 && answers.iter().any(is_refused) {
        let (refused, places): (Vec<&Hit>, Vec<&mut HitWritten>) =
            hits.iter().zip(&mut answers).filter(|(_, answer)| is_refused(answer)).unzip();
        let again = hit_by_writes(store, refused.into_iter()).await;
        places.into_iter().zip(again).for_each(|(place, answer)| *place = answer);
    }
    answers
}

/// Counts hits by a change of each page and of each site, each with the key.
async fn hit_by_writes(store: &dyn Values, hits: impl Iterator<Item = &Hit>) -> Vec<HitWritten> {
    let mut written = store.write(hits.flat_map(Hit::as_writes).collect()).await.into_iter();
    let pairs = std::iter::from_fn(|| Some(HitWritten { page: written.next()?, site: written.next()? }));
    pairs.collect()
}

async fn count_chunk(runner: &ScriptRunner, hits: &[Hit]) -> Vec<HitWritten> {
    let error = match send(runner, hits, false).await {
        Ok(answers) => return answers,
        Err(error) => error,
    };
    // Redis may have counted the hits or not. They can be sent again, because the script does not count a hit twice.
    if script::is_cut(&error)
        && let Ok(mut answers) = send(runner, hits, true).await
    {
        for written in answers.iter_mut().flat_map(|answer| [&mut answer.page, &mut answer.site]).flatten() {
            // The keys were probably used by the first of the two calls: so the changes still have to be announced.
            written.replayed = false;
        }
        return answers;
    }
    let failed = HitWritten::failed(WriteError::Unavailable(script::failure(error)));
    vec![failed; hits.len()]
}

/// Calls `hits.lua`, perhaps `again` with hits that Redis may have counted.
async fn send(runner: &ScriptRunner, hits: &[Hit], again: bool) -> RedisResult<Vec<HitWritten>> {
    let Some(first) = hits.first() else { return Ok(Vec::new()) };
    let (call, epoch, days) = (HitCall::of(hits, again), random::epoch()?, runner.retention.days);
    let append = |command: &mut Cmd| call.append(command, epoch, days);
    let reply = runner.run_change(first.page.bucket(), &script::HITS, call.keys(), append).await?;
    call.answers(reply)
}
