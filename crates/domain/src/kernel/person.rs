//! Who is behind an id, outside the ledger: facts name ids, so a person can be erased and every proof holds.

use super::PersonId;

/// A person or service account as people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    pub id: PersonId,
    pub handle: String,
    pub name: String,
    /// Kept in lower case; one address has one owner.
    pub emails: Vec<String>,
    pub service_account: bool,
    pub owner: Option<PersonId>,
}
