//! A folder of blobs: the file's name is its digest.

use futures_util::future::BoxFuture;
use holdpoint_executors::process::image::digest_of;
use holdpoint_executors::{BlobError, BlobSource};
use std::path::{Path, PathBuf};

pub struct Folder(pub PathBuf);

impl BlobSource for Folder {
    fn get<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<PathBuf, BlobError>> {
        let path = self.0.join(digest.replace(':', "-"));
        Box::pin(async move { if path.exists() { Ok(path) } else { Err(BlobError::Missing(digest.into())) } })
    }

    fn put<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, Result<String, BlobError>> {
        Box::pin(async move {
            let broken = |e: std::io::Error| BlobError::Broken(e.to_string());
            let digest = digest_of(path).map_err(broken)?;
            std::fs::copy(path, self.0.join(digest.replace(':', "-"))).map_err(broken)?;
            Ok(digest)
        })
    }
}
