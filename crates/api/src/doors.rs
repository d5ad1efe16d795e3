//! Who may come in, as types: a handler's argument says which credential it takes. There is no other place where access
//! is decided, and no filter by path. What a role allows beyond the door is the domain's decision, in its transaction.

use crate::problem::{Answer, Problem};
use crate::secrets::{csrf_of, secret_hash};
use crate::state::Api;
use axum::extract::{FromRequestParts, Path};
use holdpoint_domain::kernel::{AccountKind, Actor, PersonId, Via};
use holdpoint_domain::nouns::Person;
use holdpoint_engine::protocol::Attempt;
use holdpoint_store::PersonRow;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use std::collections::{BTreeMap, BTreeSet};

/// Header that mutations of a browser session carry.
pub const CSRF_HEADER: &str = "x-holdpoint-csrf";
/// Tokens of accounts begin so.
pub const TOKEN_PREFIX: &str = "hpt_";

/// A person or service account, by session or token, not retired. The roles are those of this moment.
#[derive(Debug, Clone)]
pub struct Signed {
    pub id: PersonId,
    pub row: PersonRow,
    pub roles: BTreeSet<String>,
    pub actor: Actor,
    /// The session's secret, where a browser session it is.
    pub session: Option<String>,
    /// How to look again whether the credential still holds.
    pub credential: Credential,
}

/// See [`Signed::credential`].
#[derive(Debug, Clone)]
pub enum Credential {
    Session(String),
    Token(String),
}

/// The same as [`Signed`], for what only reads.
pub struct Reader(pub Signed);
/// Holds the role admin now.
pub struct Admin(pub Signed);
/// Holds one of the roles that make releases or bring evidence and bytes: ci, developer, release-manager, admin.
pub struct Maker(pub Signed);
/// A worker, by the key of its pool.
pub struct PoolKey {
    pub project: String,
    pub pool: String,
}
/// Whoever brings or fetches bytes: a worker or a maker.
pub struct Depot;
/// Whoever reads bytes: a worker or anybody who is signed in.
pub struct DepotReader;
/// A worker, by the secret of one attempt.
pub struct AttemptSecret(pub Attempt);
/// No credential is needed, and none is looked at.
pub struct Anyone;

impl Signed {
    pub fn has(&self, role: &str) -> bool {
        self.roles.contains(role)
    }
    /// Refuses unless one of the roles is held.
    pub fn needs(&self, roles: &[&str], what: &str) -> Answer<()> {
        if roles.iter().any(|role| self.has(role)) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "AUTH-003",
            format!("{what} needs one of the roles {}", roles.join(", ")),
            "ask somebody who holds one, or have the role given to you in the organisation folder",
        ))
    }
}

fn bearer(headers: &HeaderMap) -> Answer<Option<&str>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::not_signed_in());
    }
    let text = value.to_str().map_err(|_| Problem::not_signed_in())?;
    let (scheme, secret) = text.split_once(' ').ok_or_else(Problem::not_signed_in)?;
    let fits = scheme.eq_ignore_ascii_case("bearer") && (16..=1024).contains(&secret.len()) && secret.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(Some(secret)) } else { Err(Problem::not_signed_in()) }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

async fn account(api: &Api, id: PersonId, via: Via, credential: Credential, session: Option<String>) -> Answer<Signed> {
    let person: Option<Person> = api.store().get(api.project(), id.as_str()).await?;
    let row = api.store().person(api.project(), &id).await?;
    let (Some(person), Some(row)) = (person.filter(|person| !person.retired), row) else { return Err(Problem::not_signed_in()) };
    let kind = if person.spec.service_account { AccountKind::ServiceAccount } else { AccountKind::Person };
    let actor = Actor { kind, person: Some(id.clone()), owner: person.spec.owner.clone(), name: row.handle.clone(), via };
    Ok(Signed { id, row, roles: person.spec.roles, actor, session, credential })
}

async fn signed(parts: &Parts, api: &Api) -> Answer<Signed> {
    // A token that is sent counts; a cookie beside it does not mend it.
    if let Some(token) = bearer(&parts.headers)? {
        return by_token(api, secret_hash(token)).await;
    }
    let secret = cookie(&parts.headers, api.cookie_name()).ok_or_else(Problem::not_signed_in)?;
    let signed = by_session(api, secret).await?;
    if !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        let shown = parts.headers.get(CSRF_HEADER).map(|value| value.as_bytes()).unwrap_or_default();
        // Hashes are compared, so timing tells nothing of the token.
        if holdpoint_seal::digest::Digest::of(shown) != holdpoint_seal::digest::Digest::of(csrf_of(secret).as_bytes()) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "AUTH-007",
                "a change by a browser session needs its X-Holdpoint-CSRF header",
                "send the value of csrf from GET /v1/me, or use a token",
            ));
        }
    }
    Ok(signed)
}

async fn by_token(api: &Api, hash: String) -> Answer<Signed> {
    let token =
        api.store().token_by_hash(&hash).await?.filter(|token| token.project == api.project()).ok_or_else(Problem::not_signed_in)?;
    account(api, token.person, Via::Token, Credential::Token(hash), None).await
}

async fn by_session(api: &Api, secret: &str) -> Answer<Signed> {
    let hash = secret_hash(secret);
    let session =
        api.store().session(&hash).await?.filter(|session| session.project == api.project()).ok_or_else(Problem::not_signed_in)?;
    account(api, session.person, Via::Session, Credential::Session(hash), Some(secret.to_owned())).await
}

/// Whether a credential still opens the door: for answers that stay open.
pub async fn still_holds(api: &Api, credential: &Credential) -> bool {
    let person = match credential {
        Credential::Token(hash) => api.store().token_by_hash(hash).await.ok().flatten().map(|token| token.person),
        Credential::Session(hash) => api.store().session(hash).await.ok().flatten().map(|session| session.person),
    };
    let Some(person) = person else { return false };
    api.store().get::<Person>(api.project(), person.as_str()).await.ok().flatten().is_some_and(|person| !person.retired)
}

impl FromRequestParts<Api> for Signed {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Answer<Self> {
        signed(parts, api).await
    }
}

impl FromRequestParts<Api> for Reader {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Answer<Self> {
        signed(parts, api).await.map(Reader)
    }
}

impl FromRequestParts<Api> for Admin {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Answer<Self> {
        let signed = signed(parts, api).await?;
        signed.needs(&["admin"], "this")?;
        Ok(Admin(signed))
    }
}

impl FromRequestParts<Api> for Maker {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Answer<Self> {
        let signed = signed(parts, api).await?;
        signed.needs(&["ci", "developer", "release-manager", "admin"], "this")?;
        Ok(Maker(signed))
    }
}

async fn pool(parts: &Parts, api: &Api) -> Answer<Option<PoolKey>> {
    let Some(key) = bearer(&parts.headers)? else { return Ok(None) };
    let found = api.store().pool_by_key(&secret_hash(key)).await?;
    Ok(found.filter(|(project, _)| project == api.project()).map(|(project, pool)| PoolKey { project, pool }))
}

impl FromRequestParts<Api> for PoolKey {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Answer<Self> {
        pool(parts, api).await?.ok_or_else(Problem::not_signed_in)
    }
}

impl FromRequestParts<Api> for Depot {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Answer<Self> {
        if pool(parts, api).await?.is_some() {
            return Ok(Depot);
        }
        Maker::from_request_parts(parts, api).await.map(|_| Depot)
    }
}

impl FromRequestParts<Api> for DepotReader {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Answer<Self> {
        if pool(parts, api).await?.is_some() {
            return Ok(DepotReader);
        }
        signed(parts, api).await.map(|_| DepotReader)
    }
}

impl FromRequestParts<Api> for AttemptSecret {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Answer<Self> {
        let secret = bearer(&parts.headers)?.map(str::to_owned).ok_or_else(Problem::not_signed_in)?;
        let Path(names) = Path::<BTreeMap<String, String>>::from_request_parts(parts, api).await.map_err(|_| Problem::not_signed_in())?;
        let attempt = names.get("attempt").cloned().unwrap_or_default();
        let found = api.engine().attempt_by_secret(&attempt, &secret);
        found.filter(|row| row.project == api.project()).map(AttemptSecret).ok_or_else(Problem::not_signed_in)
    }
}

impl FromRequestParts<Api> for Anyone {
    type Rejection = Problem;
    async fn from_request_parts(_: &mut Parts, _: &Api) -> Answer<Self> {
        Ok(Anyone)
    }
}
