//! The fields of entities in a batch of the writer.

use std::sync::Arc;

use super::WriteBatch;
use crate::domain::{Document, Topic};
use crate::store::sqlite::documents::DocumentDraft;
use crate::store::sqlite::millis::{Millis, millis};
use crate::store::{Change, Merge, StoreError, Write, WriteError};

impl WriteBatch<'_> {
    /// What a merge makes of the fields of an entity.
    pub(super) fn merged(
        &mut self,
        write: &Write,
        merge: &Merge,
    ) -> Result<Result<DocumentDraft, WriteError>, StoreError> {
        let exists = self.draft(&write.topic)?.state.exists();
        if !exists && !write.may_create {
            return Ok(Err(WriteError::WouldBeNew));
        }
        let before = if exists { self.document(&write.topic)? } else { Arc::default() };
        let document = match before.merged(&merge.fields) {
            Ok(document) => Arc::new(document),
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let before = self.draft(&write.topic)?.document.as_ref().filter(|_| exists);
        let before = before.and_then(|before| before.ends);
        let ends = write.ends.map(|ends| Millis::try_from(ends).unwrap_or(Millis::MAX));
        let ends = ends.or_else(|| merge.keep.map(|keep| self.now.saturating_add(millis(keep)))).or(before);
        Ok(Ok(DocumentDraft { document, ends, changed: true }))
    }

    /// The fields of an entity that exists.
    pub(super) fn document(&mut self, topic: &Topic) -> Result<Arc<Document>, StoreError> {
        let draft = self.draft(topic)?;
        if let Some(known) = &draft.document {
            return Ok(Arc::clone(&known.document));
        }
        let id = draft.state.reading().id;
        let document = match self.committed.documents.get(topic, id) {
            Some(document) => document,
            None => self.file.document(topic).map_err(StoreError::new)?,
        };
        let known = DocumentDraft { document: Arc::clone(&document), ends: None, changed: false };
        self.draft(topic)?.document = Some(known);
        Ok(document)
    }

    /// Writes the changed fields of entities into the open transaction.
    pub(super) fn save_documents(&mut self) -> Result<(), StoreError> {
        for (topic, draft) in &mut self.topics {
            if let Some(draft) = draft.document.as_mut().filter(|document| document.changed) {
                self.file.save_document(topic, &draft.document, draft.ends).map_err(StoreError::new)?;
                draft.changed = false;
            }
        }
        Ok(())
    }

    /// Deletes entities whose lives are over, up to `limit`, and returns them.
    pub(in crate::store::sqlite) fn end_lives(&mut self, limit: usize) -> Result<Vec<Topic>, StoreError> {
        // The transaction must have begun, so that lives that the batch has changed are found.
        self.begin()?;
        self.save_documents()?;
        let ended = self.file.ended_documents(self.now, limit).map_err(StoreError::new)?;
        for topic in &ended {
            // A row without a topic was written by another program.
            if self.write_now(&Write::new(topic.clone(), Change::Delete))?.is_ok_and(|done| !done.removed) {
                self.file.delete_past(topic).map_err(StoreError::new)?;
            }
        }
        (self.must_write, self.ends_lives) = (self.must_write || !ended.is_empty(), true);
        Ok(ended)
    }
}
