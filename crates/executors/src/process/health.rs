//! Asks a program over HTTP how it is and which version it is. A 200 from the wrong version is not healthy.

use serde_json::Value;
use std::time::Duration;

use crate::outbound;

/// A slower answer is no answer.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
const BODY_BYTES_MAX: usize = 64 << 10;

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub version: Option<String>,
}

impl Answer {
    pub fn expect(&self, version: Option<&str>) -> Result<(), String> {
        if self.status != 200 {
            return Err(format!("it answered with status {}", self.status));
        }
        match (version, self.version.as_deref()) {
            (None, _) => Ok(()),
            (Some(wanted), Some(found)) if wanted == found => Ok(()),
            (Some(wanted), Some(found)) => Err(format!("it says that it is version {found:?}, not {wanted:?}")),
            (Some(wanted), None) => Err(format!("its answer names no version; {wanted:?} was expected")),
        }
    }
}

pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    outbound::client(ANSWER_TIME_MAX).build()
}

/// The path always begins with a slash, so that it cannot become part of the host.
pub(crate) fn url(address: &str, path: &str) -> String {
    format!("http://{address}/{}", path.trim_start_matches('/'))
}

pub(crate) async fn ask(client: &reqwest::Client, url: &str, field: Option<&str>) -> Result<Answer, String> {
    let mut response = client.get(url).send().await.map_err(|e| outbound::reason(&e))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|e| outbound::reason(&e))? {
        body.extend_from_slice(&piece);
        if body.len() > BODY_BYTES_MAX {
            return Err(format!("its answer is longer than {BODY_BYTES_MAX} bytes"));
        }
    }
    Ok(Answer { status, version: field.and_then(|field| version_in(&body, field)) })
}

fn version_in(body: &[u8], field: &str) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let found = if field.starts_with('/') { value.pointer(field) } else { value.get(field) }?;
    Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
}
