//! Who is behind an id: handle, name and addresses. Outside the ledger, so that a person can be erased and proofs hold.

use crate::Store;
use crate::database::{Conn, Row, args};
use crate::error::{Result, StoreError};
use holdpoint_domain::kernel::{PersonId, Refusal};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

pub use holdpoint_domain::kernel::PersonRow;

const PERSON: &str = "SELECT id, handle, name, emails, service_account, owner FROM o_person";

fn read_person(row: &Row) -> Result<PersonRow> {
    Ok(PersonRow {
        id: person_id(row.text(0)?)?,
        handle: row.text(1)?,
        name: row.text(2)?,
        emails: serde_json::from_str(&row.text(3)?).map_err(|_| StoreError::Broken("a person's addresses cannot be read".to_owned()))?,
        service_account: row.int(4)? == 1,
        owner: row.maybe_text(5)?.map(person_id).transpose()?,
    })
}

pub(crate) fn person_id(text: String) -> Result<PersonId> {
    PersonId::try_from(text).map_err(|why| StoreError::Broken(format!("a stored person's id cannot be read: {why}")))
}

impl Store {
    pub async fn person(&self, project: &str, id: &PersonId) -> Result<Option<PersonRow>> {
        let row = self.db().row(format!("{PERSON} WHERE project = $1 AND id = $2"), args![project, id.as_str()]).await?;
        row.map(|row| read_person(&row)).transpose()
    }

    pub async fn person_by_handle(&self, project: &str, handle: &str) -> Result<Option<PersonRow>> {
        let row = self.db().row(format!("{PERSON} WHERE project = $1 AND handle = $2"), args![project, handle]).await?;
        row.map(|row| read_person(&row)).transpose()
    }

    /// By an address, whatever its case.
    pub async fn person_by_email(&self, project: &str, email: &str) -> Result<Option<PersonRow>> {
        let sql = format!("{PERSON} WHERE project = $1 AND id = (SELECT person FROM o_email WHERE project = $2 AND email = $3)");
        let row = self.db().row(sql, args![project, project, email.to_lowercase()]).await?;
        row.map(|row| read_person(&row)).transpose()
    }

    /// Everybody, by handle.
    pub async fn people(&self, project: &str) -> Result<Vec<PersonRow>> {
        let rows = self.db().rows(format!("{PERSON} WHERE project = $1 ORDER BY handle LIMIT 100000"), args![project]).await?;
        rows.iter().map(read_person).collect()
    }

    /// Erases who is behind an id: name, addresses, password, sessions and tokens. Facts keep the id.
    pub async fn erase_person(&self, project: &str, id: &PersonId) -> Result<()> {
        let mut tx = self.db().begin().await?;
        let mut conn = tx.conn();
        let person = || args![project, id.as_str()];
        for sql in [
            "DELETE FROM o_email WHERE project = $1 AND person = $2",
            "DELETE FROM o_account WHERE project = $1 AND person = $2",
            "DELETE FROM o_session WHERE project = $1 AND person = $2",
            "DELETE FROM o_token WHERE project = $1 AND person = $2",
            "DELETE FROM o_invite WHERE project = $1 AND person = $2",
            "UPDATE o_person SET handle = id, name = '', emails = '[]' WHERE project = $1 AND id = $2",
        ] {
            conn.run(sql, person()).await?;
        }
        tx.commit().await
    }
}

/// Writes the people of one decision, all of them or none: the first row whose handle or address belongs to somebody else
/// is the command's refusal, found before anything is written, so that its group goes on without it.
pub(crate) async fn put_people(conn: &mut Conn<'_>, project: &str, people: &[PersonRow]) -> Result<std::result::Result<(), Refusal>> {
    if let Some(what) = taken(conn, project, people).await? {
        let (sentence, unblock) =
            (format!("{what} belongs to somebody else"), "one handle and one address belong to one person; change the file");
        return Ok(Err(Refusal::new("ORG-004", sentence, unblock).with(json!({"taken": what}))));
    }
    // An address may go from one of them to another: what they leave is left before anything is taken.
    for person in people {
        conn.run("DELETE FROM o_email WHERE project = $1 AND person = $2", args![project, person.id.as_str()]).await?;
    }
    for person in people {
        put_person(conn, project, person).await?;
    }
    Ok(Ok(()))
}

/// What of these rows belongs to somebody who is not among them, or to two of them.
async fn taken(conn: &mut Conn<'_>, project: &str, people: &[PersonRow]) -> Result<Option<String>> {
    let ours: BTreeSet<&PersonId> = people.iter().map(|person| &person.id).collect();
    let (mut handles, mut addresses) = (BTreeMap::new(), BTreeMap::new());
    for person in people {
        let theirs = |other: &PersonId| *other != person.id;
        let handle = &person.handle;
        let known = conn.row("SELECT id FROM o_person WHERE project = $1 AND handle = $2", args![project, handle]).await?;
        let known = known.map(|row| row.text(0).and_then(person_id)).transpose()?;
        if handles.insert(handle, &person.id).is_some_and(theirs) || known.as_ref().is_some_and(theirs) {
            return Ok(Some(format!("the handle {handle}")));
        }
        for email in &person.emails {
            let key = email.to_lowercase();
            let known = conn.row("SELECT person FROM o_email WHERE project = $1 AND email = $2", args![project, &key]).await?;
            let known = known.map(|row| row.text(0).and_then(person_id)).transpose()?;
            let kept = known.as_ref().is_some_and(|other| theirs(other) && !ours.contains(other));
            if addresses.insert(key, &person.id).is_some_and(theirs) || kept {
                return Ok(Some(format!("the address {email}")));
            }
        }
    }
    Ok(None)
}

async fn put_person(conn: &mut Conn<'_>, project: &str, person: &PersonRow) -> Result<()> {
    let id = person.id.as_str();
    let emails: Vec<String> = person.emails.iter().map(|email| email.to_lowercase()).collect();
    let taken =
        conn.row("SELECT id FROM o_person WHERE project = $1 AND handle = $2 AND id <> $3", args![project, &person.handle, id]).await?;
    if taken.is_some() {
        return Err(StoreError::Conflict(format!("the handle {} belongs to somebody else", person.handle)));
    }
    conn.run("DELETE FROM o_email WHERE project = $1 AND person = $2", args![project, id]).await?;
    for email in &emails {
        let added = conn.run(
            "INSERT INTO o_email (project, email, person) VALUES ($1, $2, $3) ON CONFLICT (project, email) DO NOTHING",
            args![project, email, id],
        );
        let twice = emails.iter().filter(|other| *other == email).count() > 1;
        if added.await? == 0 && !twice {
            return Err(StoreError::Conflict(format!("the address {email} belongs to somebody else")));
        }
    }
    let listed = serde_json::to_string(&emails).map_err(|why| StoreError::Broken(why.to_string()))?;
    conn.run(
        "INSERT INTO o_person (project, id, handle, name, emails, service_account, owner) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (project, id) DO UPDATE SET handle = excluded.handle, name = excluded.name, emails = excluded.emails,
         service_account = excluded.service_account, owner = excluded.owner",
        args![project, id, &person.handle, &person.name, listed, person.service_account, person.owner.as_ref().map(PersonId::as_str)],
    )
    .await?;
    Ok(())
}
