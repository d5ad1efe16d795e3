//! Images made here, sound and hostile.

use super::*;
use std::collections::HashMap;
use std::io::{Cursor, Write as _};

fn header(name: &str, kind: u8, size: usize) -> Vec<u8> {
    let mut block = vec![0_u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(b"0000644");
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = kind;
    block[257..263].copy_from_slice(b"ustar\0");
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

/// Name, type and content of each entry.
fn archive(entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, kind, content) in entries {
        bytes.extend(header(name, *kind, content.len()));
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[derive(Default)]
struct Folder(HashMap<String, Vec<u8>>);

impl Parts for Folder {
    fn open<'a>(&'a mut self, path: &str) -> Result<Option<Box<dyn Read + 'a>>, String> {
        Ok(self.0.get(path).map(|bytes| Box::new(bytes.as_slice()) as Box<dyn Read>))
    }
}

impl Folder {
    fn blob(&mut self, bytes: Vec<u8>) -> String {
        use sha2::Digest as _;
        let hex = super::super::lock::hex(&sha2::Sha256::digest(&bytes));
        self.0.insert(format!("blobs/sha256/{hex}"), bytes);
        format!("sha256:{hex}")
    }
    /// An image of these layers under one or more platforms.
    fn image(layers: &[Vec<u8>], platforms: &[&str]) -> Self {
        let mut folder = Self::default();
        let layers: Vec<serde_json::Value> =
            layers.iter().map(|layer| serde_json::json!({"mediaType": "layer", "digest": folder.blob(layer.clone())})).collect();
        let manifest = folder.blob(serde_json::json!({"layers": layers}).to_string().into_bytes());
        let manifests: Vec<serde_json::Value> = platforms
            .iter()
            .map(|platform| {
                let (os, architecture) = platform.split_once('/').expect("os/architecture");
                serde_json::json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": manifest,
                    "platform": {"os": os, "architecture": architecture}, "annotations": {"org.opencontainers.image.ref.name": "shop:1"}})
            })
            .collect();
        folder.0.insert("index.json".to_owned(), serde_json::json!({"manifests": manifests}).to_string().into_bytes());
        folder
    }
}

fn names(contents: &Contents) -> Vec<&str> {
    contents.inventory.components.iter().map(|component| component.reference.as_str()).collect()
}

const MUSL: &[u8] = b"P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\n";

#[test]
fn layers_add_replace_and_delete() {
    let first = archive(&[
        ("./", b'5', b""),
        ("./lib/apk/db/installed", b'0', MUSL),
        ("etc/os-release", b'0', b"ID=alpine\nVERSION_ID=3.20.1\n"),
        (
            "app/Cargo.lock",
            b'0',
            b"[[package]]\nname = \"gone\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n",
        ),
        ("srv/requirements.txt", b'0', b"gone==1\n"),
        ("opt/a/requirements.txt", b'0', b"gone==2\n"),
        ("bin/requirements.txt", b'0', b"gone==3\n"),
    ]);
    let second = archive(&[
        ("app/.wh.Cargo.lock", b'0', b""),
        ("srv/new/requirements.txt", b'0', b"stays==1\n"),
        ("srv/.wh..wh..opq", b'0', b""),
        ("opt/.wh.a", b'0', b""),
        ("bin", b'2', b""),
        (
            "usr/lib/python3/site-packages/Flask-3.0.0.dist-info/METADATA",
            b'0',
            b"Name: Flask\nVersion: 3.0.0\nLicense: BSD-3-Clause\n\nName: text\n",
        ),
        ("app/node_modules/@scope/x/package.json", b'0', br#"{"name": "@scope/x", "version": "1.0.0", "license": "MIT"}"#),
        ("app/node_modules/@scope/x/yarn.lock", b'0', b"broken"),
        ("app/node_modules/y/package.json", b'0', b"{"),
    ]);
    for layers in [[first.clone(), second.clone()], [gzip(&first), gzip(&second)]] {
        let contents = read(&mut Folder::image(&layers, &["linux/amd64"]), None).expect("an image");
        assert_eq!(
            names(&contents),
            [
                "pkg:npm/%40scope/x@1.0.0",
                "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1",
                "pkg:pypi/stays@1",
                "pkg:pypi/flask@3.0.0"
            ]
        );
        assert_eq!(contents.inventory.unresolved.len(), 1, "the broken package.json: {:?}", contents.inventory.unresolved);
        assert_eq!((contents.name.as_deref(), contents.layers), (Some("shop:1"), 2));
    }
}

#[test]
fn an_archive_is_read_as_its_folder() {
    let folder = Folder::image(&[gzip(&archive(&[("lib/apk/db/installed", b'0', MUSL)]))], &["linux/amd64"]);
    let entries: Vec<(&str, u8, &[u8])> = folder.0.iter().map(|(path, bytes)| (path.as_str(), b'0', bytes.as_slice())).collect();
    let mut parts = Archive::open(Cursor::new(archive(&entries))).expect("an archive");
    assert_eq!(names(&read(&mut parts, None).expect("an image")), ["pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64"]);
    let layer = archive(&[("lib/apk/db/installed", b'0', MUSL)]);
    let saved =
        archive(&[("a/layer.tar", b'0', &layer), ("manifest.json", b'0', br#"[{"RepoTags": ["shop:2"], "Layers": ["a/layer.tar"]}]"#)]);
    let contents = read(&mut Archive::open(Cursor::new(saved)).expect("an archive"), None).expect("an image");
    assert_eq!((contents.name.as_deref(), contents.inventory.components.len()), (Some("shop:2"), 1));
}

#[test]
fn one_platform_is_chosen() {
    let layers = [archive(&[("lib/apk/db/installed", b'0', MUSL)])];
    let mut both = Folder::image(&layers, &["linux/amd64", "linux/arm64", "unknown/unknown"]);
    assert!(read(&mut both, None).expect_err("two").to_string().contains("linux/amd64, linux/arm64"));
    assert!(read(&mut both, Some("linux/arm64")).is_ok());
    assert!(read(&mut both, Some("windows/amd64")).is_err());
}

/// AB42, AB43: nothing leads out, nothing grows without bound, nothing is taken for what it is not.
#[test]
fn hostile_images_are_refused() {
    let refused = |layer: Vec<u8>| read(&mut Folder::image(&[layer], &["linux/amd64"]), None).expect_err("a hostile layer").to_string();
    for name in ["../etc/passwd", "a/../../x", "/etc/passwd"] {
        let said = refused(archive(&[(name, b'0', b"x")]));
        assert!(said.contains("leads out") || said.contains("absolute"), "{name}: {said}");
    }
    // A link is no content, and what it names is not followed.
    let linked = archive(&[("lib/apk/db/installed", b'2', b""), ("x/requirements.txt", b'1', b"")]);
    assert!(refused(linked).contains("no lock file"));
    let zeros = gzip(&archive(&[("zeros", b'0', &vec![0; 96 << 20])]));
    assert!(refused(zeros).contains("beyond measure"));
    assert!(refused(b"\x28\xb5\x2f\xfd....".to_vec()).contains("zstd"));
    assert!(refused(b"not an archive".repeat(100)).contains("checksum"));
    let mut short = archive(&[("lib/apk/db/installed", b'0', MUSL)]);
    short.truncate(520);
    assert!(refused(short).contains("ends within"));
    let mut huge = header("lib/apk/db/installed", b'0', 0);
    huge[124..136].copy_from_slice(b"\x80\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff");
    huge[148..156].copy_from_slice(b"        ");
    let sum: u32 = huge.iter().map(|byte| u32::from(*byte)).sum();
    huge[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    assert!(refused(huge).contains("too large"));

    let mut swapped = Folder::image(&[archive(&[("lib/apk/db/installed", b'0', MUSL)])], &["linux/amd64"]);
    for (path, bytes) in &mut swapped.0 {
        if path.starts_with("blobs") && bytes.starts_with(b"lib/") {
            let at = bytes.windows(4).position(|four| four == b"musl").expect("the name");
            bytes[at] = b'M';
        }
    }
    assert!(matches!(read(&mut swapped, None), Err(ImageError::Digest { .. })));
    let mut outside = Folder::default();
    outside.0.insert("index.json".to_owned(), br#"{"manifests": [{"digest": "sha256:../../etc/passwd"}]}"#.to_vec());
    assert!(read(&mut outside, None).expect_err("no digest").to_string().contains("no sha256 digest"));
    assert_eq!(read(&mut Folder::default(), None), Err(ImageError::NoImage));
    let twice = archive(&[("index.json", b'0', b"{}"), ("./index.json", b'0', b"{}")]);
    assert!(Archive::open(Cursor::new(twice)).err().expect("refused").to_string().contains("twice"));
}

#[test]
fn long_names_of_both_kinds() {
    let long = format!("{}/requirements.txt", "d".repeat(120));
    let pax = format!("{} path={long}\n", long.len() + 10);
    assert_eq!(pax.len().to_string(), pax.split(' ').next().expect("a length"));
    let gnu = [long.as_bytes(), b"\0"].concat();
    for entries in [
        [("x", b'L', gnu.as_slice()), ("short", b'0', b"a==1\n".as_slice())],
        [("x", b'x', pax.as_bytes()), ("short", b'0', b"a==1\n".as_slice())],
    ] {
        let contents = read(&mut Folder::image(&[archive(&entries)], &["linux/amd64"]), None).expect("an image");
        assert_eq!(contents.inventory.components[0].file.as_deref(), Some(long.as_str()));
    }
}

/// A layer for mutations.
pub fn sample_layer() -> Vec<u8> {
    archive(&[("lib/apk/db/installed", b'0', MUSL), ("x/requirements.txt", b'0', b"a==1\n"), ("y/.wh.z", b'0', b""), ("l", b'2', b"")])
}

/// What `docker save` makes of a layer.
pub fn sample_archive(layer: &[u8]) -> Vec<u8> {
    archive(&[("a/layer.tar", b'0', layer), ("manifest.json", b'0', br#"[{"RepoTags": null, "Layers": ["a/layer.tar"]}]"#)])
}
