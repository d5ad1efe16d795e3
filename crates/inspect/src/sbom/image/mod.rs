//! Container images on disk: OCI image layouts and what `docker save` writes, as folder or tar archive.
//!
//! Layers are read as streams, in order, and nothing is written anywhere: only files that name components are kept. Every blob
//! is compared with its digest. Not read: layers compressed with zstd, and images in a registry.

mod layer;
mod tar;

use super::gather::{self, Broken, File, GatherError};
use super::lock::Inventory;
use layer::{Checked, Layers};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
pub use tar::index as tar_index;

/// Manifests, indexes and configurations beyond this are refused.
const DOCUMENT_MAX: u64 = 16 << 20;
/// Indexes within indexes beyond this are refused.
const NESTING_MAX: usize = 4;

/// Why an image cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("{name}: {why}")]
    Read { name: String, why: String },
    #[error("{name}: {why}")]
    Archive { name: String, why: &'static str },
    #[error("{name}: the bytes have the digest {found}, the image says {expected}")]
    Digest { name: String, expected: String, found: String },
    #[error("the image has {found}; choose one with --platform")]
    Platform { found: String },
    #[error("there is neither index.json nor manifest.json: this is no image")]
    NoImage,
    #[error(transparent)]
    Gather(#[from] GatherError),
}

/// Where the parts of an image lie.
pub trait Parts {
    /// Opens a part by its path in the layout; None where there is none.
    fn open<'a>(&'a mut self, path: &str) -> Result<Option<Box<dyn Read + 'a>>, String>;
}

/// An image in one tar archive.
pub struct Archive<R> {
    reader: R,
    entries: BTreeMap<String, (u64, u64)>,
}

impl<R: Read + Seek> Archive<R> {
    pub fn open(mut reader: R) -> Result<Self, ImageError> {
        let entries = tar_index(&mut reader)?;
        Ok(Self { reader, entries })
    }
}

impl<R: Read + Seek> Parts for Archive<R> {
    fn open<'a>(&'a mut self, path: &str) -> Result<Option<Box<dyn Read + 'a>>, String> {
        let Some((begin, length)) = self.entries.get(path).copied() else { return Ok(None) };
        self.reader.seek(SeekFrom::Start(begin)).map_err(|why| why.to_string())?;
        Ok(Some(Box::new((&mut self.reader).take(length))))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    fn word(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{}/{}/{variant}", self.os, self.architecture),
            None => format!("{}/{}", self.os, self.architecture),
        }
    }
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

/// One image as `docker save` tells it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// What an image has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    pub inventory: Inventory,
    /// The name it was given, where it was.
    pub name: Option<String>,
    /// Digest of the manifest, where there is one.
    pub digest: Option<String>,
    pub layers: usize,
}

/// Reads an image; `platform` such as `linux/amd64` chooses where there are several.
pub fn read(parts: &mut dyn Parts, platform: Option<&str>) -> Result<Contents, ImageError> {
    let mut layers = Layers::default();
    let (name, digest, count) = match document::<Index>(parts, "index.json", None)? {
        Some(index) => {
            let (descriptor, manifest) = manifest(parts, index, platform, 0)?;
            for one in &manifest.layers {
                let path = blob_path(&one.digest)?;
                with(parts, &path, |reader| layers.apply(&path, Checked::new(reader, Some(&one.digest))))?;
            }
            let name = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
            let name = name.iter().find_map(|key| descriptor.annotations.get(*key)).cloned();
            (name, Some(descriptor.digest), manifest.layers.len())
        }
        None => {
            let saved: Vec<Saved> = document(parts, "manifest.json", None)?.ok_or(ImageError::NoImage)?;
            let [image] = saved.as_slice() else {
                return Err(ImageError::Archive { name: "manifest.json".to_owned(), why: "expected exactly one image" });
            };
            for path in &image.layers {
                with(parts, path, |reader| layers.apply(path, Checked::new(reader, None)))?;
            }
            (image.repo_tags.as_ref().and_then(|tags| tags.first()).cloned(), None, image.layers.len())
        }
    };
    let files: Vec<File> = layers.into_files();
    let inventory = gather::inventory(files, Broken::Unresolved)?;
    Ok(Contents { inventory, name, digest, layers: count })
}

/// The one manifest that is meant, with its descriptor.
fn manifest(parts: &mut dyn Parts, index: Index, platform: Option<&str>, nesting: usize) -> Result<(Descriptor, Manifest), ImageError> {
    // Attestations lie beside images under a platform that is none.
    let unknown = |one: &Descriptor| one.platform.as_ref().is_some_and(|platform| platform.os == "unknown");
    let mut candidates: Vec<Descriptor> = index.manifests.into_iter().filter(|one| !unknown(one)).collect();
    if let Some(wanted) = platform {
        let fits = |one: &Descriptor| {
            one.platform.as_ref().is_none_or(|own| own.word() == wanted || own.word().starts_with(&format!("{wanted}/")))
        };
        candidates.retain(fits);
    }
    let found: Vec<String> =
        candidates.iter().map(|one| one.platform.as_ref().map_or_else(|| one.digest.clone(), Platform::word)).collect();
    let descriptor = match (candidates.pop(), candidates.is_empty()) {
        (Some(one), true) => one,
        (None, _) => return Err(ImageError::Platform { found: "no image for this platform".to_owned() }),
        _ => return Err(ImageError::Platform { found: found.join(", ") }),
    };
    let path = blob_path(&descriptor.digest)?;
    if descriptor.media_type.contains("index") || descriptor.media_type.contains("manifest.list") {
        if nesting >= NESTING_MAX {
            return Err(ImageError::Archive { name: path, why: "indexes are nested too deep" });
        }
        let inner: Index = document(parts, &path, Some(&descriptor.digest))?.ok_or_else(|| missing(&path))?;
        let (mut inner, manifest) = manifest(parts, inner, platform, nesting + 1)?;
        for (key, value) in descriptor.annotations {
            inner.annotations.entry(key).or_insert(value);
        }
        return Ok((inner, manifest));
    }
    let manifest = document(parts, &path, Some(&descriptor.digest))?.ok_or_else(|| missing(&path))?;
    Ok((descriptor, manifest))
}

fn missing(path: &str) -> ImageError {
    ImageError::Archive { name: path.to_owned(), why: "the image names it, and it is not there" }
}

/// `sha256:HEX` is `blobs/sha256/HEX`; nothing else becomes a path.
fn blob_path(digest: &str) -> Result<String, ImageError> {
    match digest.split_once(':') {
        Some(("sha256", hex)) if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(format!("blobs/sha256/{hex}")),
        _ => Err(ImageError::Archive { name: digest.chars().take(80).collect(), why: "is no sha256 digest" }),
    }
}

fn with<T>(parts: &mut dyn Parts, path: &str, act: impl FnOnce(Box<dyn Read + '_>) -> Result<T, ImageError>) -> Result<T, ImageError> {
    let opened = parts.open(path).map_err(|why| ImageError::Read { name: path.to_owned(), why })?;
    act(opened.ok_or_else(|| missing(path))?)
}

fn document<T: serde::de::DeserializeOwned>(parts: &mut dyn Parts, path: &str, digest: Option<&str>) -> Result<Option<T>, ImageError> {
    let failed = |why: String| ImageError::Read { name: path.to_owned(), why };
    let Some(reader) = parts.open(path).map_err(failed)? else { return Ok(None) };
    let mut checked = Checked::new(reader, digest);
    let mut bytes = Vec::new();
    (&mut checked).take(DOCUMENT_MAX + 1).read_to_end(&mut bytes).map_err(|why| failed(why.to_string()))?;
    if bytes.len() as u64 > DOCUMENT_MAX {
        return Err(ImageError::Archive { name: path.to_owned(), why: "is larger than any manifest" });
    }
    checked.finish(path)?;
    serde_json::from_slice(&bytes).map(Some).map_err(|why| failed(why.to_string()))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::{sample_archive, sample_layer};
