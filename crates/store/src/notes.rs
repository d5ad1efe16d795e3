//! Free text that facts only commit to. Erasing text and salt leaves every proof as it was.

use crate::Store;
use crate::database::{args, padded, rows_of};
use crate::error::{Result, StoreError};
use holdpoint_domain::kernel::{Note, Salt};
use holdpoint_seal::digest::Digest;
use std::collections::BTreeMap;

impl Store {
    /// The note with this commitment; none when it was erased or never was.
    pub async fn note(&self, project: &str, digest: &Digest) -> Result<Option<Note>> {
        Ok(self.notes(project, &[*digest]).await?.remove(digest))
    }

    /// Several notes at once.
    pub async fn notes(&self, project: &str, digests: &[Digest]) -> Result<BTreeMap<Digest, Note>> {
        let mut found = BTreeMap::new();
        for part in digests.chunks(256) {
            let wanted = padded(part);
            let mut bind = args![project];
            bind.extend(wanted.iter().map(|digest| digest.to_string().into()));
            let sql = format!("SELECT salt, text FROM o_note WHERE project = $1 AND digest IN (VALUES {})", rows_of(wanted.len(), 1, 1));
            for row in self.db().rows(sql, bind).await? {
                let salt = Digest::from_hex(&row.text(0)?).map_err(|why| StoreError::Broken(format!("a note's salt: {why}")))?;
                let note = Note { salt: Salt::from_random(*salt.as_bytes()), text: row.text(1)? };
                // The commitment is what was asked for: a text that was changed has another one and is not served.
                found.insert(note.commit().digest, note);
            }
        }
        Ok(found)
    }

    /// Erases a note; false where there was none.
    pub async fn erase_note(&self, project: &str, digest: &Digest) -> Result<bool> {
        Ok(self.db().write("DELETE FROM o_note WHERE project = $1 AND digest = $2", args![project, digest.to_string()]).await? > 0)
    }
}
