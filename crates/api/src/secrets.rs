//! Secrets of the door: made here, shown once, kept as hashes; passwords by argon2id; attempts to guess are slowed down.

use crate::problem::{Answer, Problem};
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use holdpoint_seal::digest::Digest;
use http::StatusCode;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Shortest password that is taken, in characters.
pub const PASSWORD_MIN: usize = 12;
const PASSWORD_MAX: usize = 1024;
/// The rule, for people.
pub const PASSWORD_RULE: &str = "At least 12 characters. A few words in a row are easier to keep than signs.";

/// 32 random bytes in hex behind a prefix that says what it is.
pub fn new_secret(prefix: &str) -> String {
    let mut bytes = [0_u8; 32];
    match getrandom::fill(&mut bytes) {
        Ok(()) => format!("{prefix}{}", hex::encode(bytes)),
        // tidy-allow(panics): secrets that could be guessed would be worse than no server
        Err(why) => panic!("the operating system has no randomness: {why}"),
    }
}

/// How every secret of the door (token, session, invitation, pool key) is kept: `sha256:…` of its text.
pub fn secret_hash(secret: &str) -> String {
    Digest::of(secret.as_bytes()).to_string()
}

/// What a session's mutations carry; follows from the session's secret, so it need not be kept.
pub fn csrf_of(session: &str) -> String {
    Digest::of_parts(&[b"holdpoint-csrf/1\n", session.as_bytes()]).hex()
}

/// Hashes and compares passwords, a few at a time: each takes 19 MiB and tens of milliseconds.
pub struct Passwords {
    turns: Semaphore,
    /// Compared with where there is no account, so that both answers take the same time.
    nobody: std::sync::OnceLock<String>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Semaphore::new(2), nobody: std::sync::OnceLock::new() }
    }
}

impl Passwords {
    /// A hash to keep.
    pub async fn hash(&self, password: &str) -> Answer<String> {
        let length = password.chars().count();
        if length < PASSWORD_MIN || password.len() > PASSWORD_MAX {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "AUTH-009",
                format!("the password has {length} characters; at least {PASSWORD_MIN} are needed, at most {PASSWORD_MAX} bytes"),
                PASSWORD_RULE,
            ));
        }
        let _turn = self.turns.acquire().await.map_err(|why| Problem::broken(&why))?;
        let password = password.to_owned();
        tokio::task::spawn_blocking(move || hash(&password)).await.map_err(|why| Problem::broken(&why))?
    }

    /// Whether a password is the one that was hashed; `None` compares with nobody's and is false.
    pub async fn matches(&self, password: &str, known: Option<String>) -> Answer<bool> {
        if password.len() > PASSWORD_MAX {
            return Ok(false);
        }
        let exists = known.is_some();
        let known = match known {
            Some(known) => known,
            None => match self.nobody.get() {
                Some(nobody) => nobody.clone(),
                None => {
                    let made = self.hash(&new_secret("")).await?;
                    self.nobody.get_or_init(|| made).clone()
                }
            },
        };
        let _turn = self.turns.acquire().await.map_err(|why| Problem::broken(&why))?;
        let password = password.to_owned();
        let same = tokio::task::spawn_blocking(move || Argon2::default().verify_password(password.as_bytes(), known.as_str()).is_ok())
            .await
            .map_err(|why| Problem::broken(&why))?;
        Ok(same && exists)
    }
}

fn hash(password: &str) -> Answer<String> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|why| Problem::broken(&why))?;
    let made = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).map_err(|why| Problem::broken(&why))?;
    Ok(made.to_string())
}

/// Slows guessing down, by account name and by address. Names that belong to nobody are counted just the same.
#[derive(Default)]
pub struct Throttle {
    seen: Mutex<HashMap<String, (u32, Instant)>>,
}

const FREE_TRIES: u32 = 5;
/// An address may stand for a whole office.
const FREE_TRIES_ADDRESS: u32 = 50;
const KEPT: usize = 50_000;
const FORGOTTEN: Duration = Duration::from_secs(3600);

impl Throttle {
    /// Refuses while a name or address has to wait.
    pub fn check(&self, handle: &str, address: &str) -> Answer<()> {
        let now = Instant::now();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = [(name_key(handle), FREE_TRIES), (address_key(address), FREE_TRIES_ADDRESS)].into_iter().filter_map(|(key, free)| {
            let (count, last) = seen.get(&key)?;
            (last.checked_add(wait(*count, free))?).checked_duration_since(now).filter(|left| !left.is_zero())
        });
        match waits.max() {
            None => Ok(()),
            Some(left) => {
                let seconds = left.as_secs() + 1;
                Err(Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "AUTH-005",
                    format!("too many attempts; the next one is possible in {seconds} s"),
                    "wait, or ask an administrator for a new link",
                )
                .retry(seconds))
            }
        }
    }
    /// Counts a wrong password.
    pub fn missed(&self, handle: &str, address: &str) {
        let now = Instant::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() > KEPT {
            seen.retain(|_, (_, last)| now.duration_since(*last) < FORGOTTEN);
        }
        for key in [name_key(handle), address_key(address)] {
            let entry = seen.entry(key).or_insert((0, now));
            if now.duration_since(entry.1) > FORGOTTEN {
                entry.0 = 0;
            }
            *entry = (entry.0.saturating_add(1), now);
        }
    }
    /// Forgets after a right one.
    pub fn passed(&self, handle: &str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&name_key(handle));
    }
}

fn name_key(handle: &str) -> String {
    format!("n{}", secret_hash(handle))
}
fn address_key(address: &str) -> String {
    format!("a{address}")
}

/// 1 s after the free tries, doubled each time up to 15 min.
pub fn wait(count: u32, free: u32) -> Duration {
    match count.checked_sub(free) {
        None => Duration::ZERO,
        Some(more) => Duration::from_secs(1_u64 << more.min(10)).min(Duration::from_secs(900)),
    }
}
