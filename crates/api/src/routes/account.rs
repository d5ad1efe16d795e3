//! Accounts: one-time links, sessions, tokens, keys of pools. No account has a password that was not set by its person.

use crate::bootstrap::{self, Invited, invited};
use crate::doors::{Admin, Anyone, Credential, Reader, Signed, TOKEN_PREFIX};
use crate::problem::{Answer, Problem};
use crate::secrets::{PASSWORD_RULE, csrf_of, new_secret, secret_hash, wait};
use crate::state::Api;
use crate::strict::{Nothing, Strict};
use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use holdpoint_domain::kernel::PersonId;
use holdpoint_domain::nouns::Person;
use holdpoint_store::{PersonRow, Session, Token};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use utoipa::ToSchema;

/// Where a request came from, as far as the listener knows.
pub struct Address(String);

impl FromRequestParts<Api> for Address {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut http::request::Parts, _: &Api) -> Answer<Self> {
        Ok(Self(parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_string()).unwrap_or_default()))
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    token: String,
    /// Without one, the answer only says whose link it is.
    #[serde(default)]
    password: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    handle: String,
    password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    name: String,
    /// Handle of a service account that one owns; administrators may name any service account.
    #[serde(default, rename = "for")]
    for_: Option<String>,
    /// Days until it expires; 365 at most and by default.
    #[serde(default)]
    days: Option<u32>,
}

fn no_link() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "AUTH-008",
        "this link is not valid: it was used, it has expired, or it is not complete",
        "ask an administrator for another one",
    )
}

async fn person(api: &Api, id: &PersonId) -> Answer<(PersonRow, Person)> {
    let row = api.store().person(api.project(), id).await?;
    let person: Option<Person> = api.store().get(api.project(), id.as_str()).await?;
    row.zip(person.filter(|person| !person.retired)).ok_or_else(no_link)
}

/// Redeems a one-time link: sets the password and opens a session.
#[utoipa::path(post, path = "/v1/setup", tag = "account", request_body = Setup, responses((status = 200, description = "whose link it is, or the session's account"), (status = 401, description = "the link is not valid")))]
pub async fn setup(_: Anyone, State(api): State<Api>, Address(address): Address, Strict { value, .. }: Strict<Setup>) -> Answer<Response> {
    api.throttle().check("", &address)?;
    let hash = secret_hash(&value.token);
    let kept = api.store().setting(&invited(&hash)).await?.and_then(|text| serde_json::from_str::<Invited>(&text).ok());
    let now = api.store().now().await?;
    let Some(kept) = kept.filter(|kept| kept.expires > now) else {
        api.throttle().missed("", &address);
        return Err(no_link());
    };
    let (row, person) = person(&api, &kept.person).await?;
    let Some(password) = value.password else {
        let body = json!({"handle": row.handle, "name": row.name, "roles": person.spec.roles, "expires": kept.expires, "password_rule": PASSWORD_RULE});
        return Ok(Json(body).into_response());
    };
    let password = api.passwords().hash(&password).await?;
    // Used up first: of two at once, one comes through.
    let (project, id) = api.store().take_invite(&hash).await?.ok_or_else(no_link)?;
    api.store().set_password(&project, &id, &password).await?;
    api.store().end_sessions_of(&project, &id).await?;
    api.store().remove_setting(&invited(&hash)).await?;
    api.throttle().passed(&row.handle);
    open(&api, &row, &person).await
}

async fn open(api: &Api, row: &PersonRow, person: &Person) -> Answer<Response> {
    let secret = new_secret("");
    let csrf = csrf_of(&secret);
    let now = api.store().now().await?;
    let hours = i64::try_from(api.settings().session_hours).unwrap_or(12);
    let expires = now.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap_or(now);
    let session = Session {
        id_hash: secret_hash(&secret),
        project: api.project().to_owned(),
        person: row.id.clone(),
        csrf_hash: secret_hash(&csrf),
        created: now,
        expires,
        last_seen: now,
    };
    api.store().add_session(&session).await?;
    let body = json!({"handle": row.handle, "name": row.name, "roles": person.spec.roles, "csrf": csrf});
    with_cookie(api, &secret, Json(body).into_response())
}

fn with_cookie(api: &Api, secret: &str, mut response: Response) -> Answer<Response> {
    let value = HeaderValue::from_str(&api.cookie(secret)).map_err(|why| Problem::broken(&why))?;
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}

/// Opens a session. Wrong names and wrong passwords get the same answer in the same time.
#[utoipa::path(post, path = "/v1/session", tag = "account", request_body = SignIn, responses((status = 200, description = "the account and its csrf token"), (status = 401, description = "handle or password is wrong"), (status = 429, description = "too many attempts")))]
pub async fn sign_in(
    _: Anyone,
    State(api): State<Api>,
    Address(address): Address,
    Strict { value, .. }: Strict<SignIn>,
) -> Answer<Response> {
    let wrong = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "AUTH-004",
            "handle or password is wrong",
            "try again, or ask an administrator for a new link",
        )
    };
    let handle: String = value.handle.chars().take(200).collect();
    api.throttle().check(&handle, &address)?;
    let now = api.store().now().await?;
    let row = api.store().person_by_handle(api.project(), &handle).await?;
    let known = match &row {
        Some(row) => api.store().account(api.project(), &row.id).await?,
        None => None,
    };
    let locked = known.as_ref().is_some_and(|known| known.locked_until > now);
    let matches = api.passwords().matches(&value.password, known.as_ref().map(|known| known.password_hash.clone())).await?;
    let Some(row) = row.filter(|_| matches && !locked) else {
        api.throttle().missed(&handle, &address);
        if let Some(known) = known {
            let length = wait(u32::try_from(known.failures).unwrap_or(u32::MAX).saturating_add(1), 10);
            let until = now.checked_add(jiff::SignedDuration::try_from(length).unwrap_or_default()).unwrap_or(now);
            api.store().count_failure(api.project(), &known.person, until).await?;
        }
        return Err(wrong());
    };
    let person: Option<Person> = api.store().get(api.project(), row.id.as_str()).await?;
    let Some(person) = person.filter(|person| !person.retired && !person.spec.service_account) else {
        api.throttle().missed(&handle, &address);
        return Err(wrong());
    };
    api.store().clear_failures(api.project(), &row.id).await?;
    api.throttle().passed(&handle);
    open(&api, &row, &person).await
}

/// Ends the session.
#[utoipa::path(delete, path = "/v1/session", tag = "account", responses((status = 204, description = "over")))]
pub async fn sign_out(signed: Signed, State(api): State<Api>) -> Answer<Response> {
    if let Credential::Session(hash) = &signed.credential {
        api.store().end_session(hash).await?;
    }
    with_cookie(&api, "", StatusCode::NO_CONTENT.into_response())
}

fn only_admin(signed: &Signed, what: &str) -> Option<Value> {
    signed.needs(&["admin"], what).err().map(|why| why.short())
}

/// Who is signed in, with the token that changes by a session carry.
#[utoipa::path(get, path = "/v1/me", tag = "account", responses((status = 200, description = "the account")))]
pub async fn me(Reader(signed): Reader) -> Json<Value> {
    let mut refusals = serde_json::Map::new();
    if let Some(why) = only_admin(&signed, "inviting somebody") {
        refusals.insert("invite".to_owned(), why);
    }
    if let Err(why) = signed.needs(&["admin", "release-manager", "operator"], "declaring or lifting a freeze") {
        refusals.insert("declare_freeze".to_owned(), why.short());
    }
    let csrf = signed.session.as_deref().map(csrf_of).unwrap_or_default();
    Json(json!({
        "handle": signed.row.handle, "name": signed.row.name, "roles": signed.roles, "service_account": signed.row.service_account, "csrf": csrf,
        "refusals": refusals,
    }))
}

/// Everybody who is declared.
#[utoipa::path(get, path = "/v1/people", tag = "account", responses((status = 200, description = "people")))]
pub async fn people(_: Reader, State(api): State<Api>) -> Answer<Json<Value>> {
    let mut people = Vec::new();
    for row in api.store().people(api.project()).await? {
        let Some(person) = api.store().get::<Person>(api.project(), row.id.as_str()).await? else { continue };
        let set_up = api.store().account(api.project(), &row.id).await?.is_some();
        let mut one = json!({
            "handle": row.handle, "name": row.name, "roles": person.spec.roles, "service_account": row.service_account, "retired": person.retired,
            "set_up": set_up,
        });
        if let Err(why) = may_be_invited(&row, &person)
            && let Some(object) = one.as_object_mut()
        {
            object.insert("refusals".to_owned(), json!({"invite": why.short()}));
        }
        people.push(one);
    }
    Ok(Json(json!({"people": people})))
}

fn may_be_invited(row: &PersonRow, person: &Person) -> Answer<()> {
    let refused = |detail: String, unblock: &str| Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "AUTH-010", detail, unblock));
    if row.service_account {
        return refused(format!("{} is a service account and has no password", row.handle), "make a token for it");
    }
    if person.retired {
        return refused(format!("{} is retired", row.handle), "declare the person again in the organisation folder");
    }
    Ok(())
}

fn base(api: &Api, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
    api.settings().public_url.clone().unwrap_or_else(|| format!("http://{host}"))
}

/// Makes a one-time link by which a declared person sets a password.
#[utoipa::path(post, path = "/v1/people/{handle}/invite", tag = "account", params(("handle" = String, Path)), responses((status = 200, description = "the link, shown once")))]
pub async fn invite(
    _: Admin,
    State(api): State<Api>,
    Path(handle): Path<String>,
    headers: HeaderMap,
    _: Strict<Nothing>,
) -> Answer<Json<Value>> {
    let missing =
        || Problem::not_found(format!("there is no person {handle:?}"), "declare the person in the organisation folder and apply it");
    let row = api.store().person_by_handle(api.project(), &handle).await?.ok_or_else(missing)?;
    let person: Person = api.store().get(api.project(), row.id.as_str()).await?.ok_or_else(missing)?;
    may_be_invited(&row, &person)?;
    let link = bootstrap::invite(api.engine(), &row.id).await?;
    Ok(Json(json!({"link": link.below(&base(&api, &headers)), "expires": link.expires})))
}

/// Makes a token. Only a session may: a token that was copied cannot make others.
#[utoipa::path(post, path = "/v1/tokens", tag = "account", request_body = NewToken, responses((status = 201, description = "the token, shown once")))]
pub async fn make_token(signed: Signed, State(api): State<Api>, Strict { value, .. }: Strict<NewToken>) -> Answer<Response> {
    if signed.session.is_none() {
        return Err(Problem::new(StatusCode::FORBIDDEN, "AUTH-006", "a token cannot make tokens", "sign in with a password"));
    }
    let name = value.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Problem::parameter("name: expected 1 to 100 characters, none of them a control character"));
    }
    let whose = match &value.for_ {
        None => signed.id.clone(),
        Some(handle) => service_account(&api, &signed, handle).await?,
    };
    let now = api.store().now().await?;
    let hours = i64::from(value.days.unwrap_or(365).clamp(1, 365)) * 24;
    let expires = now.checked_add(jiff::SignedDuration::from_hours(hours)).ok();
    let secret = new_secret(TOKEN_PREFIX);
    let token = Token {
        id: format!("tok_{}", holdpoint_engine::random_id()),
        project: api.project().to_owned(),
        person: whose,
        name,
        created: now,
        expires,
        revoked: None,
    };
    api.store().add_token(&token, &secret_hash(&secret)).await?;
    let body = json!({"token": secret, "id": token.id, "name": token.name, "expires": token.expires});
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn service_account(api: &Api, signed: &Signed, handle: &str) -> Answer<PersonId> {
    let row = api.store().person_by_handle(api.project(), handle).await?.filter(|row| row.service_account);
    let row = row.ok_or_else(|| {
        Problem::not_found(format!("there is no service account {handle:?}"), "declare it in the organisation folder and apply it")
    })?;
    let person: Option<Person> = api.store().get(api.project(), row.id.as_str()).await?;
    let owned = person.as_ref().is_some_and(|person| person.spec.owner.as_ref() == Some(&signed.id));
    if !owned {
        signed.needs(&["admin"], "making a token for somebody else's service account")?;
    }
    Ok(row.id)
}

/// One's own tokens, without their secrets.
#[utoipa::path(get, path = "/v1/tokens", tag = "account", responses((status = 200, description = "tokens")))]
pub async fn tokens(Reader(signed): Reader, State(api): State<Api>) -> Answer<Json<Value>> {
    let tokens = api.store().tokens_of(api.project(), &signed.id).await?;
    let shown: Vec<Value> = tokens
        .iter()
        .map(|token| json!({"id": token.id, "name": token.name, "created": token.created, "expires": token.expires, "revoked": token.revoked}))
        .collect();
    Ok(Json(json!({"tokens": shown})))
}

/// Revokes one of one's own tokens, at once.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "account", params(("id" = String, Path)), responses((status = 204, description = "revoked")))]
pub async fn revoke_token(signed: Signed, State(api): State<Api>, Path(id): Path<String>) -> Answer<StatusCode> {
    if api.store().revoke_token(api.project(), &signed.id, &id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found(format!("there is no token {id:?} of yours to revoke"), "list them: GET /v1/tokens"))
}

/// Enrols a worker's pool: makes a key that its workers show.
#[utoipa::path(post, path = "/v1/pools/{pool}/keys", tag = "account", params(("pool" = String, Path)), responses((status = 201, description = "the key, shown once")))]
pub async fn make_pool_key(_: Admin, State(api): State<Api>, Path(pool): Path<String>, _: Strict<Nothing>) -> Answer<Response> {
    let fits = (1..=64).contains(&pool.len())
        && pool.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_'));
    if !fits {
        return Err(Problem::parameter("pool: expected 1 to 64 of a-z, 0-9, '-', '.', '_'"));
    }
    let key = new_secret("hpp_");
    api.store().add_pool_key(api.project(), &pool, &secret_hash(&key)).await?;
    Ok((StatusCode::CREATED, Json(json!({"pool": pool, "key": key}))).into_response())
}
