//! Gives the topics of an input the pasts that they had in another store.

use crate::domain::{Past, Topic};
use crate::import::{ImportLine, ImportMode};
use crate::store::{Store, StoreError};

/// Gives the topics of a batch, whose values are stored, their pasts. An addition does so only for topics that have no past of their own. Returns how
/// many pasts were left out.
pub(super) async fn restore_pasts(
    store: &dyn Store,
    batch: &[ImportLine],
    mode: ImportMode,
) -> Result<u64, StoreError> {
    let with_past = batch.iter().filter(|line| !line.past.is_empty());
    let pasts: Vec<(Topic, Past)> = with_past.map(|line| (line.target.topic(), line.past.clone())).collect();
    if pasts.is_empty() {
        return Ok(0);
    }
    let restored = store.restore_pasts(&pasts, mode == ImportMode::Add).await?;
    Ok(restored.iter().filter(|restored| !**restored).count() as u64)
}
