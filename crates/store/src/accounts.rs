//! What opens a door: passwords, sessions, personal tokens, invitations, pool keys, tokens of attempts. All of them as
//! hashes; making, hashing and comparing secrets is not the store's.

use crate::database::{Row, args};
use crate::error::Result;
use crate::people::person_id;
use crate::{Store, instant};
use holdpoint_domain::kernel::{PersonId, Timestamp};

/// A password and how often it was missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub person: PersonId,
    pub password_hash: String,
    /// Wrong passwords since the last right one.
    pub failures: u64,
    pub locked_until: Timestamp,
    pub changed: Timestamp,
}

/// A browser session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id_hash: String,
    pub project: String,
    pub person: PersonId,
    pub csrf_hash: String,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub last_seen: Timestamp,
}

/// A personal token, without its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub id: String,
    pub project: String,
    pub person: PersonId,
    pub name: String,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
}

const SESSION: &str = "SELECT id_hash, project, person, csrf_hash, created_us, expires_us, last_seen_us FROM o_session";
const TOKEN: &str = "SELECT id, project, person, name, created_us, expires_us, revoked_us FROM o_token";

fn read_session(row: &Row) -> Result<Session> {
    Ok(Session {
        id_hash: row.text(0)?,
        project: row.text(1)?,
        person: person_id(row.text(2)?)?,
        csrf_hash: row.text(3)?,
        created: instant(row.int(4)?)?,
        expires: instant(row.int(5)?)?,
        last_seen: instant(row.int(6)?)?,
    })
}

fn read_token(row: &Row) -> Result<Token> {
    Ok(Token {
        id: row.text(0)?,
        project: row.text(1)?,
        person: person_id(row.text(2)?)?,
        name: row.text(3)?,
        created: instant(row.int(4)?)?,
        expires: row.maybe_int(5)?.map(instant).transpose()?,
        revoked: row.maybe_int(6)?.map(instant).transpose()?,
    })
}

impl Store {
    /// Sets a password; failures and lock are forgotten.
    pub async fn set_password(&self, project: &str, person: &PersonId, password_hash: &str) -> Result<()> {
        let sql = "INSERT INTO o_account (project, person, password_hash, failures, locked_until_us, changed_us) VALUES ($1, $2, $3, 0, 0, $4)
             ON CONFLICT (project, person) DO UPDATE SET password_hash = excluded.password_hash, failures = 0, locked_until_us = 0, changed_us = excluded.changed_us";
        self.db().write(sql, args![project, person.as_str(), password_hash, self.now_us().await?]).await.map(drop)
    }

    pub async fn account(&self, project: &str, person: &PersonId) -> Result<Option<Account>> {
        let sql = "SELECT password_hash, failures, locked_until_us, changed_us FROM o_account WHERE project = $1 AND person = $2";
        let Some(row) = self.db().row(sql, args![project, person.as_str()]).await? else { return Ok(None) };
        Ok(Some(Account {
            person: person.clone(),
            password_hash: row.text(0)?,
            failures: row.count(1)?,
            locked_until: instant(row.int(2)?)?,
            changed: instant(row.int(3)?)?,
        }))
    }

    /// Whether there is any account yet: before that, only the setup token opens a door.
    pub async fn has_accounts(&self) -> Result<bool> {
        Ok(self.db().row("SELECT failures FROM o_account LIMIT 1", args![]).await?.is_some())
    }

    /// Counts a wrong password and returns how many there were in a row.
    pub async fn count_failure(&self, project: &str, person: &PersonId, locked_until: Timestamp) -> Result<u64> {
        let mut tx = self.db().begin().await?;
        let sql =
            "UPDATE o_account SET failures = failures + 1, locked_until_us = $1 WHERE project = $2 AND person = $3 RETURNING failures";
        let row = tx.conn().row(sql, args![locked_until.as_microsecond(), project, person.as_str()]).await?;
        tx.commit().await?;
        row.map_or(Ok(0), |row| row.count(0))
    }

    /// Forgets wrong passwords after a right one.
    pub async fn clear_failures(&self, project: &str, person: &PersonId) -> Result<()> {
        let sql = "UPDATE o_account SET failures = 0, locked_until_us = 0 WHERE project = $1 AND person = $2 AND failures > 0";
        self.db().write(sql, args![project, person.as_str()]).await.map(drop)
    }

    pub async fn add_session(&self, session: &Session) -> Result<()> {
        let Session { id_hash, project, person, csrf_hash, created, expires, last_seen } = session;
        let sql = "INSERT INTO o_session (id_hash, project, person, csrf_hash, created_us, expires_us, last_seen_us) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let times = [created, expires, last_seen].map(|at| at.as_microsecond());
        self.db().write(sql, args![id_hash, project, person.as_str(), csrf_hash, times[0], times[1], times[2]]).await.map(drop)
    }

    /// A session that has not expired.
    pub async fn session(&self, id_hash: &str) -> Result<Option<Session>> {
        let row = self.db().row(format!("{SESSION} WHERE id_hash = $1 AND expires_us > $2"), args![id_hash, self.now_us().await?]).await?;
        row.map(|row| read_session(&row)).transpose()
    }

    /// Says that a session was used. Writes: not for every request.
    pub async fn touch_session(&self, id_hash: &str, expires: Timestamp) -> Result<()> {
        let sql = "UPDATE o_session SET last_seen_us = $1, expires_us = $2 WHERE id_hash = $3";
        self.db().write(sql, args![self.now_us().await?, expires.as_microsecond(), id_hash]).await.map(drop)
    }

    pub async fn end_session(&self, id_hash: &str) -> Result<()> {
        self.db().write("DELETE FROM o_session WHERE id_hash = $1", args![id_hash]).await.map(drop)
    }

    /// Ends all sessions of a person, as after a new password; returns how many.
    pub async fn end_sessions_of(&self, project: &str, person: &PersonId) -> Result<u64> {
        self.db().write("DELETE FROM o_session WHERE project = $1 AND person = $2", args![project, person.as_str()]).await
    }

    pub async fn add_token(&self, token: &Token, token_hash: &str) -> Result<()> {
        let sql = "INSERT INTO o_token (id, token_hash, project, person, name, created_us, expires_us, revoked_us) VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)";
        let expires_us = token.expires.map(|at| at.as_microsecond());
        let bind =
            args![&token.id, token_hash, &token.project, token.person.as_str(), &token.name, token.created.as_microsecond(), expires_us];
        self.db().write(sql, bind).await.map(drop)
    }

    /// The token with this hash, unless it was revoked or has expired.
    pub async fn token_by_hash(&self, token_hash: &str) -> Result<Option<Token>> {
        let sql = format!("{TOKEN} WHERE token_hash = $1 AND revoked_us IS NULL AND (expires_us IS NULL OR expires_us > $2)");
        let row = self.db().row(sql, args![token_hash, self.now_us().await?]).await?;
        row.map(|row| read_token(&row)).transpose()
    }

    /// All tokens of a person, revoked ones too.
    pub async fn tokens_of(&self, project: &str, person: &PersonId) -> Result<Vec<Token>> {
        let rows = self
            .db()
            .rows(format!("{TOKEN} WHERE project = $1 AND person = $2 ORDER BY created_us, id LIMIT 1000"), args![project, person.as_str()])
            .await?;
        rows.iter().map(read_token).collect()
    }

    /// Revokes a person's token; false where there is none to revoke.
    pub async fn revoke_token(&self, project: &str, person: &PersonId, id: &str) -> Result<bool> {
        let sql = "UPDATE o_token SET revoked_us = $1 WHERE project = $2 AND person = $3 AND id = $4 AND revoked_us IS NULL";
        Ok(self.db().write(sql, args![self.now_us().await?, project, person.as_str(), id]).await? > 0)
    }

    pub async fn add_invite(&self, project: &str, hash: &str, person: &PersonId, expires: Timestamp) -> Result<()> {
        let sql = "INSERT INTO o_invite (hash, project, person, expires_us, used_us) VALUES ($1, $2, $3, $4, NULL)";
        self.db().write(sql, args![hash, project, person.as_str(), expires.as_microsecond()]).await.map(drop)
    }

    /// Uses an invitation up, once and before its end. Returns project and person.
    pub async fn take_invite(&self, hash: &str) -> Result<Option<(String, PersonId)>> {
        let now_us = self.now_us().await?;
        let mut tx = self.db().begin().await?;
        let sql = "UPDATE o_invite SET used_us = $1 WHERE hash = $2 AND used_us IS NULL AND expires_us > $1 RETURNING project, person";
        let row = tx.conn().row(sql, args![now_us, hash]).await?;
        tx.commit().await?;
        row.map(|row| Ok((row.text(0)?, person_id(row.text(1)?)?))).transpose()
    }

    pub async fn add_pool_key(&self, project: &str, pool: &str, hash: &str) -> Result<()> {
        let sql = "INSERT INTO o_pool_key (hash, project, pool, created_us, revoked_us) VALUES ($1, $2, $3, $4, NULL) ON CONFLICT (hash) DO NOTHING";
        self.db().write(sql, args![hash, project, pool, self.now_us().await?]).await.map(drop)
    }

    /// Project and pool of a key that was not revoked.
    pub async fn pool_by_key(&self, hash: &str) -> Result<Option<(String, String)>> {
        let row = self.db().row("SELECT project, pool FROM o_pool_key WHERE hash = $1 AND revoked_us IS NULL", args![hash]).await?;
        row.map(|row| Ok((row.text(0)?, row.text(1)?))).transpose()
    }

    pub async fn revoke_pool_key(&self, project: &str, hash: &str) -> Result<bool> {
        let sql = "UPDATE o_pool_key SET revoked_us = $1 WHERE project = $2 AND hash = $3 AND revoked_us IS NULL";
        Ok(self.db().write(sql, args![self.now_us().await?, project, hash]).await? > 0)
    }

    /// A setting of this instance that is not a fact, e.g. the hash of the setup token.
    pub async fn setting(&self, name: &str) -> Result<Option<String>> {
        let row = self.db().row("SELECT value FROM meta WHERE name = $1", args![format!("setting/{name}")]).await?;
        row.map(|row| row.text(0)).transpose()
    }

    pub async fn put_setting(&self, name: &str, value: &str) -> Result<()> {
        let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.db().write(sql, args![format!("setting/{name}"), value]).await.map(drop)
    }

    pub async fn remove_setting(&self, name: &str) -> Result<bool> {
        Ok(self.db().write("DELETE FROM meta WHERE name = $1", args![format!("setting/{name}")]).await? > 0)
    }
}
