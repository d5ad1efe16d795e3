//! The storefront over HTTP, in front of a real orders service on a database of its own.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use orders::{migrations, store::Store, web};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use storefront::{pages, upstream::Orders};
use tokio::net::TcpListener;

struct Shop {
    base: String,
    folder: PathBuf,
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Shop {
    async fn open() -> Shop {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("storefront-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let database = folder.join("orders.db");
        migrations::migrate(&mut migrations::open(&database).unwrap()).unwrap();
        let store = Arc::new(Store::open(&database).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let orders = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, web::router(store)).await });
        Shop { base: front(&orders).await, folder }
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, body) = ask("GET", &format!("{}{path}", self.base), "application/json", None).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    async fn checkout(&self, body: &Value) -> (StatusCode, Value) {
        let (status, body) = ask("POST", &format!("{}/checkout", self.base), "application/json", Some(body)).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }
}

/// A storefront in front of the orders service at this address.
async fn front(orders: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = pages::router(Orders::at(orders));
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

async fn ask(method: &str, url: &str, accept: &str, body: Option<&Value>) -> (StatusCode, String) {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    let request = Request::builder().method(method).uri(url).header("content-type", "application/json").header("accept", accept);
    let answer = client.request(request.body(Full::new(bytes)).unwrap()).await.unwrap();
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

fn basket(key: &str) -> Value {
    json!({"key": key, "customer": "customer-1", "sku": "mug-blue", "qty": 2, "card": {"number": "4111 1111 1111 1111", "expires": "12/39"}})
}

#[tokio::test]
async fn health_says_status_and_version_only() {
    let shop = Shop::open().await;
    let expected = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
    assert_eq!((StatusCode::OK, expected), shop.get("/healthz").await);
}

#[tokio::test]
async fn health_does_not_depend_on_orders() {
    let base = front("http://127.0.0.1:9").await;
    assert_eq!(StatusCode::OK, ask("GET", &format!("{base}/healthz"), "", None).await.0);
}

#[tokio::test]
async fn the_front_page_is_the_catalogue() {
    let shop = Shop::open().await;
    let (status, articles) = shop.get("/").await;
    assert_eq!(StatusCode::OK, status);
    assert_eq!("tea-assam", articles[0]["sku"]);
}

#[tokio::test]
async fn a_browser_gets_a_page() {
    let shop = Shop::open().await;
    let (_, page) = ask("GET", &shop.base, "text/html", None).await;
    assert!(page.contains("<a href=\"/product/mug-blue\">Mug, blue</a><td>12.50 €"), "{page}");
}

#[tokio::test]
async fn a_product_has_the_price_of_orders() {
    let shop = Shop::open().await;
    let (status, quote) = shop.get("/product/mug-blue?qty=2").await;
    assert_eq!((StatusCode::OK, Some(2500)), (status, quote["total_cents"].as_i64()));
    assert_eq!(StatusCode::NOT_FOUND, shop.get("/product/moon").await.0);
}

#[tokio::test]
async fn a_checkout_can_be_read_back() {
    let shop = Shop::open().await;
    let (status, placed) = shop.checkout(&basket("key-00001")).await;
    assert_eq!(StatusCode::CREATED, status);
    assert_eq!((StatusCode::OK, placed.clone()), shop.get(&format!("/order/{}", placed["id"].as_str().unwrap())).await);
}

#[tokio::test]
async fn a_second_click_is_no_second_order() {
    let shop = Shop::open().await;
    let (_, first) = shop.checkout(&basket("key-00001")).await;
    assert_eq!((StatusCode::OK, first), shop.checkout(&basket("key-00001")).await);
}

#[tokio::test]
async fn a_refusal_of_orders_reaches_the_customer() {
    let shop = Shop::open().await;
    let mut body = basket("key-00001");
    body["card"]["expires"] = json!("12/20");
    assert_eq!((StatusCode::PAYMENT_REQUIRED, json!({"error": "the card has expired"})), shop.checkout(&body).await);
}

#[tokio::test]
async fn without_orders_the_answer_is_bad_gateway() {
    let base = front("http://127.0.0.1:9").await;
    let (status, body) = ask("GET", &format!("{base}/product/mug-blue"), "", None).await;
    assert_eq!(StatusCode::BAD_GATEWAY, status);
    assert!(body.contains("orders cannot be reached"), "{body}");
}
