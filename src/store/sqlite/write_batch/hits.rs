//! Counts hits in a batch of the writer.

use super::WriteBatch;
use crate::store::sqlite::millis::millis;
use crate::store::{Hit, HitWritten, StoreError, Written};

impl WriteBatch<'_> {
    /// Counts a hit. The outer error is that of the disk.
    pub(in crate::store::sqlite) fn hit(&mut self, hit: &Hit) -> Result<HitWritten, StoreError> {
        self.begin()?;
        let value = self.draft(&hit.page)?.state.value;
        let expires = self.now + millis(hit.lifetime);
        let is_new = self.file.keys().use_once(&hit.page, &hit.key, (1, value + 1), self.now, expires);
        let answer = if is_new.map_err(StoreError::new)? {
            self.count(hit)?
        } else {
            let known = |value| Ok(Written { value, replayed: true, ..Written::default() });
            HitWritten { page: known(value), site: known(0) }
        };
        if let (Some(visit), true) = (hit.visit, answer.site.is_ok()) {
            self.visit(&hit.site, visit)?;
        }
        Ok(answer)
    }

    /// Counts a hit whose key was just written; forgets the key if the page refuses the hit.
    fn count(&mut self, hit: &Hit) -> Result<HitWritten, StoreError> {
        match self.write_now(&hit.addition(&hit.page))? {
            Ok(page) => {
                self.remembered += 1;
                Ok(HitWritten { page: Ok(page), site: self.write_now(&hit.addition(&hit.site))? })
            }
            Err(refusal) => {
                self.file.keys().forget(&hit.page, &hit.key).map_err(StoreError::new)?;
                Ok(HitWritten::failed(refusal))
            }
        }
    }
}
