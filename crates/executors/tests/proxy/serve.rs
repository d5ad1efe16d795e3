//! The proxy as a process of its own, as `bench/proxy/run.py` starts it.

use std::path::PathBuf;

use holdpoint_executors::proxy::{self, Config};

/// Not a test: serves until it is told to stop. `PROXY_FOLDER` holds `token` and gets the state.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by bench/proxy/run.py"]
async fn serve_for_the_benchmark() {
    let folder = PathBuf::from(std::env::var("PROXY_FOLDER").expect("PROXY_FOLDER is set"));
    let any = "127.0.0.1:0".parse().unwrap();
    let token_file = folder.join("token");
    let config = Config { listen: vec![("shop".into(), any)], admin: any, state_dir: folder.join("state"), token_file };
    proxy::run(config).await.unwrap();
}
