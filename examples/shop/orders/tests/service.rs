//! The orders service over HTTP and as a process, on databases of their own.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use orders::store::{NewOrder, Store, StoreError};
use orders::{migrations, web};
use serde_json::{Value, json};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("orders-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn database(&self) -> PathBuf {
        self.0.join("orders.db")
    }

    fn migrated(&self) -> PathBuf {
        migrations::migrate(&mut migrations::open(&self.database()).unwrap()).unwrap();
        self.database()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

type Http = Client<HttpConnector, Full<Bytes>>;

fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn ask(client: &Http, method: &str, url: &str, body: Option<&Value>) -> (StatusCode, Value) {
    let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    let request = Request::builder().method(method).uri(url).header("content-type", "application/json").body(Full::new(bytes)).unwrap();
    let answer = client.request(request).await.unwrap();
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// The service inside this process.
struct Service {
    _folder: Folder,
    base: String,
    client: Http,
}

impl Service {
    async fn start() -> Service {
        let folder = Folder::new();
        let store = Store::open(&folder.migrated()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, web::router(Arc::new(store))).await });
        Service { _folder: folder, base, client: http() }
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        ask(&self.client, "GET", &format!("{}{path}", self.base), None).await
    }

    async fn place(&self, body: &Value) -> (StatusCode, Value) {
        ask(&self.client, "POST", &format!("{}/orders", self.base), Some(body)).await
    }
}

fn wish(key: &str, sku: &str, qty: u32) -> Value {
    json!({"key": key, "customer": "customer-1", "sku": sku, "qty": qty, "card": {"number": "4111 1111 1111 1111", "expires": "12/39"}})
}

fn new_order(key: &str) -> NewOrder {
    NewOrder {
        key: key.to_owned(),
        customer: "customer-1".to_owned(),
        sku: "mug-blue".to_owned(),
        qty: 2,
        total_cents: 2500,
        authorisation: "auth-1111-2500".to_owned(),
    }
}

#[tokio::test]
async fn health_says_status_and_version_only() {
    let service = Service::start().await;
    let (status, body) = service.get("/healthz").await;
    assert_eq!((StatusCode::OK, json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})), (status, body));
}

#[tokio::test]
async fn the_catalogue_is_listed() {
    let service = Service::start().await;
    let (status, body) = service.get("/catalogue").await;
    assert_eq!(StatusCode::OK, status);
    assert_eq!(12, body.as_array().unwrap().len());
}

#[tokio::test]
async fn a_quote_names_unit_and_total() {
    let service = Service::start().await;
    let (status, body) = service.get("/quote?sku=mug-white&qty=2").await;
    assert_eq!(StatusCode::OK, status);
    assert_eq!((Some(1250), Some(2500)), (body["unit_cents"].as_i64(), body["total_cents"].as_i64()));
}

#[tokio::test]
async fn a_quote_for_nothing_known_says_so() {
    let service = Service::start().await;
    assert_eq!(StatusCode::NOT_FOUND, service.get("/quote?sku=moon&qty=1").await.0);
    assert_eq!(StatusCode::UNPROCESSABLE_ENTITY, service.get("/quote?sku=mug-white&qty=0").await.0);
}

#[tokio::test]
async fn a_placed_order_can_be_read() {
    let service = Service::start().await;
    let (status, placed) = service.place(&wish("key-00001", "tea-assam", 1)).await;
    assert_eq!(StatusCode::CREATED, status);
    let (status, read) = service.get(&format!("/orders/{}", placed["id"].as_str().unwrap())).await;
    assert_eq!((StatusCode::OK, placed), (status, read));
}

#[tokio::test]
async fn the_same_key_is_the_same_order() {
    let service = Service::start().await;
    let (_, first) = service.place(&wish("key-00001", "tea-assam", 1)).await;
    let (status, second) = service.place(&wish("key-00001", "tea-assam", 1)).await;
    assert_eq!((StatusCode::OK, first), (status, second));
    assert_eq!(Some(1), service.get("/stats").await.1["orders"].as_i64());
}

#[tokio::test]
async fn the_same_key_for_another_order_is_a_conflict() {
    let service = Service::start().await;
    service.place(&wish("key-00001", "tea-assam", 1)).await;
    let (status, body) = service.place(&wish("key-00001", "tea-assam", 2)).await;
    assert_eq!(StatusCode::CONFLICT, status);
    assert_eq!("this key belongs to a different order", body["error"]);
}

#[tokio::test]
async fn a_refused_card_places_nothing() {
    let service = Service::start().await;
    let mut body = wish("key-00001", "tea-assam", 1);
    body["card"]["number"] = json!("4111 1111 1111 1112");
    let (status, answer) = service.place(&body).await;
    assert_eq!((StatusCode::PAYMENT_REQUIRED, json!("the card number is not valid")), (status, answer["error"].clone()));
    assert_eq!(Some(0), service.get("/stats").await.1["orders"].as_i64());
}

#[tokio::test]
async fn a_body_that_is_no_order_is_refused() {
    let service = Service::start().await;
    assert_eq!(StatusCode::UNPROCESSABLE_ENTITY, service.place(&json!({"key": "key-00001"})).await.0);
    assert_eq!(StatusCode::UNPROCESSABLE_ENTITY, service.place(&wish("short", "tea-assam", 1)).await.0);
    assert_eq!(StatusCode::UNPROCESSABLE_ENTITY, service.place(&wish("key with spaces", "tea-assam", 1)).await.0);
}

#[tokio::test]
async fn fields_of_a_newer_storefront_are_let_through() {
    let service = Service::start().await;
    let mut body = wish("key-00001", "tea-assam", 1);
    body["coupon"] = json!("later");
    assert_eq!(StatusCode::CREATED, service.place(&body).await.0);
}

#[tokio::test]
async fn a_customer_sees_own_orders_newest_first() {
    let service = Service::start().await;
    for key in ["key-00001", "key-00002"] {
        service.place(&wish(key, "tea-assam", 1)).await;
    }
    let (_, orders) = service.get("/orders?customer=customer-1").await;
    let ids: Vec<&str> = orders.as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap()).collect();
    assert_eq!(vec!["o-2", "o-1"], ids);
    assert_eq!(json!([]), service.get("/orders?customer=nobody").await.1);
}

#[tokio::test]
async fn an_unknown_order_is_not_found() {
    let service = Service::start().await;
    for id in ["o-999", "999", "o-x"] {
        assert_eq!(StatusCode::NOT_FOUND, service.get(&format!("/orders/{id}")).await.0, "{id}");
    }
}

#[tokio::test]
async fn stats_add_up() {
    let service = Service::start().await;
    service.place(&wish("key-00001", "mug-white", 2)).await;
    service.place(&wish("key-00002", "mug-blue", 1)).await;
    let (_, stats) = service.get("/stats").await;
    let numbers = ["orders", "units", "total_cents"].map(|field| stats[field].as_i64().unwrap());
    assert_eq!([2, 3, 3750], numbers);
}

#[test]
fn every_migration_is_applied_once() {
    let folder = Folder::new();
    let mut connection = migrations::open(&folder.database()).unwrap();
    let all: Vec<i64> = migrations::MIGRATIONS.iter().map(|migration| migration.number).collect();
    assert_eq!(all, migrations::missing(&folder.database()).unwrap());
    assert_eq!(all, migrations::migrate(&mut connection).unwrap());
    assert_eq!(Vec::<i64>::new(), migrations::migrate(&mut connection).unwrap());
    assert_eq!(Vec::<i64>::new(), migrations::missing(&folder.database()).unwrap());
}

#[test]
fn migrating_at_the_same_time_applies_each_step_once() {
    let folder = Folder::new();
    drop(migrations::open(&folder.database()).unwrap());
    let applied: Vec<i64> = std::thread::scope(|scope| {
        let migrators: Vec<_> =
            (0..4).map(|_| scope.spawn(|| migrations::migrate(&mut migrations::open(&folder.database()).unwrap()).unwrap())).collect();
        migrators.into_iter().flat_map(|migrator| migrator.join().unwrap()).collect()
    });
    assert_eq!(migrations::MIGRATIONS.len(), applied.len());
}

#[test]
fn a_service_refuses_a_database_that_was_not_migrated() {
    let folder = Folder::new();
    assert!(matches!(Store::open(&folder.database()), Err(StoreError::Schema(_))));
}

#[test]
fn two_services_on_one_file_place_each_order_once() {
    let folder = Folder::new();
    let path = folder.migrated();
    let stores = [Store::open(&path).unwrap(), Store::open(&path).unwrap()];
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| {
                for number in 0..25 {
                    store.place(&new_order(&format!("key-{number:05}"))).unwrap();
                }
            });
        }
    });
    assert_eq!(25, stores[0].stats().unwrap().orders);
}

#[test]
fn an_order_is_there_for_who_opens_the_file_next() {
    let folder = Folder::new();
    let path = folder.migrated();
    let placed = Store::open(&path).unwrap().place(&new_order("key-00001")).unwrap();
    assert_eq!(Some(placed.order), Store::open(&path).unwrap().order("o-1").unwrap());
}

fn program(arguments: &[&str], database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orders"));
    command.args(arguments).env("DATABASE", database).env("PORT", "0").stdout(Stdio::piped());
    command
}

/// Starts the program and reads the address it listens on.
fn serve(database: &Path) -> (Child, String) {
    let mut child = program(&["serve"], database).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let listening: Value = serde_json::from_str(&line).unwrap();
    let base = format!("http://{}", listening["listening"].as_str().unwrap());
    (child, base)
}

fn terminate(child: &Child) {
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
}

#[test]
fn check_says_by_exit_code_whether_to_migrate() {
    let folder = Folder::new();
    let exit = |arguments: &[&str]| program(arguments, &folder.database()).status().unwrap().code();
    assert_eq!(Some(1), exit(&["migrate", "--check"]));
    assert_eq!(Some(0), exit(&["migrate"]));
    assert_eq!(Some(0), exit(&["migrate", "--check"]));
    assert_eq!(Some(2), exit(&["mirgate"]));
}

#[tokio::test]
async fn the_program_ends_well_after_sigterm() {
    let folder = Folder::new();
    let (mut child, base) = serve(&folder.migrated());
    let (status, _) = ask(&http(), "GET", &format!("{base}/healthz"), None).await;
    terminate(&child);
    assert_eq!((StatusCode::OK, Some(0)), (status, child.wait().unwrap().code()));
}

#[tokio::test]
async fn an_acknowledged_order_survives_a_kill() {
    let folder = Folder::new();
    let path = folder.migrated();
    let (mut child, base) = serve(&path);
    let (status, placed) = ask(&http(), "POST", &format!("{base}/orders"), Some(&wish("key-00001", "tea-assam", 1))).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(StatusCode::CREATED, status);
    let found = Store::open(&path).unwrap().order(placed["id"].as_str().unwrap()).unwrap();
    assert_eq!(Some("tea-assam"), found.as_ref().map(|order| order.sku.as_str()));
}
