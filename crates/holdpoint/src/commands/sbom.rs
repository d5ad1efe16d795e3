//! Software bills of materials: written from lock files and images, and validated.

use super::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Code, Out, read};
use clap::{Subcommand, ValueEnum};
use holdpoint_inspect::sbom::gather::{self, Broken, File, SKIPPED_FOLDERS};
use holdpoint_inspect::sbom::image::{self, Archive, Contents, Parts};
use holdpoint_inspect::sbom::lock::Inventory;
use holdpoint_inspect::sbom::{validate, write};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Deeper folders are not entered.
const DEPTH_MAX: usize = 32;
/// More files of interest are refused.
const FILES_MAX: usize = 10_000;

#[derive(Subcommand)]
pub enum Sbom {
    /// Writes a CycloneDX document from lock files, package databases or an image.
    #[command(after_help = "Examples:
  holdpoint sbom create . --output bom.json                     all lock files of a folder
  holdpoint sbom create Cargo.lock --spec 1.5                   one of them
  holdpoint sbom create image.tar --platform linux/amd64        docker save, or an OCI layout")]
    Create(Create),
    /// Is it a CycloneDX document (JSON, 1.2 to 1.7), by schema and by meaning?
    Validate {
        /// The document; `-` is standard input.
        file: PathBuf,
        #[command(flatten)]
        reporting: Reporting,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Spec {
    #[value(name = "1.4")]
    V1_4,
    #[value(name = "1.5")]
    V1_5,
    #[value(name = "1.6")]
    V1_6,
    #[value(name = "1.7")]
    V1_7,
}

impl Spec {
    fn word(self) -> &'static str {
        match self {
            Spec::V1_4 => "1.4",
            Spec::V1_5 => "1.5",
            Spec::V1_6 => "1.6",
            Spec::V1_7 => "1.7",
        }
    }
}

#[derive(clap::Args)]
pub struct Create {
    /// A folder, a lock file, a package database, or an image: an OCI layout or `docker save`, as folder or tar.
    path: PathBuf,
    /// Which of several images, such as linux/amd64.
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    platform: Option<String>,
    /// Version of CycloneDX.
    #[arg(long, value_enum, default_value = "1.6")]
    spec: Spec,
    /// Where the document goes; otherwise standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Name of the product; otherwise the folder's.
    #[arg(long)]
    name: Option<String>,
    /// Version of the product.
    #[arg(long, value_name = "VERSION")]
    product_version: Option<String>,
    /// Time to write into the document (RFC 3339); without it there is none, and the same input gives the same bytes.
    #[arg(long, value_name = "T")]
    now: Option<String>,
    /// A serial number: a UUID, or `random`; without it there is none.
    #[arg(long, value_name = "UUID")]
    serial: Option<String>,
    /// Ends with 1 where something is named without being fixed to a version.
    #[arg(long)]
    complete: bool,
}

impl Sbom {
    pub fn run(self, out: &Out) -> Ended {
        match self {
            Sbom::Create(create) => create.run(out),
            Sbom::Validate { file, reporting } => validate_file(out, &file, &reporting),
        }
    }
}

fn validate_file(out: &Out, file: &Path, reporting: &Reporting) -> Ended {
    let name = file.display().to_string();
    let validation = validate::validate(&read(file)?).map_err(|why| BadInput(format!("{name}: {why}")))?;
    let valid = validation.valid();
    let findings = validation.findings.into_iter().map(|finding| {
        let line = finding.line;
        finding.at(name.clone(), line)
    });
    let mut more = serde_json::Map::new();
    more.insert("specVersion".to_owned(), json!(validation.version));
    more.insert("components".to_owned(), json!(validation.components));
    more.insert("total".to_owned(), json!(validation.total));
    let verdict = if valid { "valid" } else { "invalid" };
    reporting.end(out, &Judgement { command: "sbom validate", verdict, blocks: !valid, findings: findings.collect(), more })
}

impl Create {
    fn run(self, out: &Out) -> Ended {
        if let Some(now) = &self.now {
            now.parse::<jiff::Timestamp>().map_err(|why| BadInput(format!("--now {now}: {why}")))?;
        }
        let serial = self.serial.as_deref().map(serial).transpose()?;
        let (inventory, named, digest) = match image_of(&self.path, self.platform.as_deref())? {
            Some(contents) => (contents.inventory, contents.name, contents.digest),
            None => (inventory_of(&self.path)?, None, None),
        };
        let name = self.name.clone().or(named).unwrap_or_else(|| product_name(&self.path));
        let document = write::cyclonedx(
            &inventory,
            &write::About {
                spec: self.spec.word(),
                name: &name,
                version: self.product_version.as_deref().or(digest.as_deref()),
                serial: serial.as_deref(),
                timestamp: self.now.as_deref(),
                tool: env!("CARGO_PKG_VERSION"),
            },
        );
        for one in &inventory.unresolved {
            let line = one.line.map(|line| format!(":{line}")).unwrap_or_default();
            out.say(format!("! {}{line}: {}: {}", one.file.as_deref().unwrap_or_default(), one.what, one.why));
        }
        let open = inventory.unresolved.len();
        let summary = format!("{} components, {open} unresolved", inventory.components.len());
        match &self.output {
            Some(path) => {
                std::fs::write(path, &document).map_err(|why| BadInput(format!("{}: {why}", path.display())))?;
                let unresolved: Vec<_> = inventory
                    .unresolved
                    .iter()
                    .map(|one| json!({"file": one.file, "line": one.line, "what": one.what, "why": one.why}))
                    .collect();
                let value = json!({
                    "verdict": if open == 0 { "complete" } else { "incomplete" },
                    "components": inventory.components.len(), "unresolved": unresolved, "output": path.display().to_string(),
                });
                out.result(&value, || format!("{} {summary}", path.display()));
            }
            // The document is the result, with --json and without.
            None => {
                use std::io::Write as _;
                std::io::stdout().lock().write_all(document.as_bytes()).map_err(|why| BadInput(format!("standard output: {why}")))?;
                out.say(summary);
            }
        }
        Ok(if self.complete && open > 0 { Code::Blocked } else { Code::Done })
    }
}

/// An image in a folder: its parts are files below it, and names come from digests.
struct Layout<'a>(&'a Path);

impl Parts for Layout<'_> {
    fn open<'a>(&'a mut self, path: &str) -> Result<Option<Box<dyn std::io::Read + 'a>>, String> {
        let inside = Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside {
            return Err("leads out of the image".to_owned());
        }
        match std::fs::File::open(self.0.join(path)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why.to_string()),
        }
    }
}

/// The contents of an image; None where the path is none.
fn image_of(path: &Path, platform: Option<&str>) -> anyhow::Result<Option<Contents>> {
    let bad = |why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", path.display()));
    if path.is_dir() {
        if !path.join("oci-layout").is_file() {
            return Ok(None);
        }
        return Ok(Some(image::read(&mut Layout(path), platform).map_err(|why| bad(&why))?));
    }
    if path.extension().is_none_or(|extension| extension != "tar") {
        return Ok(None);
    }
    let file = std::fs::File::open(path).map_err(|why| bad(&why))?;
    let mut archive = Archive::open(std::io::BufReader::new(file)).map_err(|why| bad(&why))?;
    Ok(Some(image::read(&mut archive, platform).map_err(|why| bad(&why))?))
}

/// The folder's name, or that of the folder a file lies in.
fn product_name(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = if whole.is_dir() { Some(whole.as_path()) } else { whole.parent() };
    let name = folder.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "product".to_owned())
}

fn serial(text: &str) -> anyhow::Result<String> {
    if text == "random" {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).map_err(|why| anyhow::anyhow!("no random number: {why}"))?;
        // RFC 9562: version 4, variant 10.
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = hex::encode(bytes);
        return Ok(format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]));
    }
    let uuid = text.strip_prefix("urn:uuid:").unwrap_or(text).to_ascii_lowercase();
    let right = uuid.len() == 36
        && uuid.bytes().enumerate().all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() });
    if right { Ok(format!("urn:uuid:{uuid}")) } else { Err(BadInput(format!("--serial {text:?}: expected a UUID, or random")).into()) }
}

/// The inventory of whatever names components: a CycloneDX document, a lock file, a package database or a folder.
pub fn load(path: &Path) -> anyhow::Result<Inventory> {
    if let Some(contents) = image_of(path, None)? {
        return Ok(contents.inventory);
    }
    if path.is_dir() || gather::wanted(&path.to_string_lossy()) {
        return inventory_of(path);
    }
    let bytes = read(path)?;
    let given = path.display().to_string();
    let mut inventory = holdpoint_inspect::sbom::read::cyclonedx(&bytes).map_err(|why| BadInput(format!("{given}: {why}")))?;
    inventory.components.iter_mut().for_each(|component| component.file = Some(given.clone()));
    Ok(inventory)
}

/// The inventory of a folder or of one file.
fn inventory_of(path: &Path) -> anyhow::Result<Inventory> {
    let bad = |why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", path.display()));
    let mut files = Vec::new();
    if path.is_dir() {
        collect(path, "", 0, &mut files)?;
    } else {
        let name = std::path::absolute(path).map_err(|why| bad(&why))?.to_string_lossy().trim_start_matches('/').to_owned();
        if !gather::wanted(&name) {
            return Err(bad(&format!("is none of {}", gather::names())).into());
        }
        let bytes = read(path)?;
        files.extend(release_beside(&name));
        files.push(File { path: name, bytes });
    }
    let mut inventory = gather::inventory(files, Broken::Refused).map_err(|why| bad(&why))?;
    if !path.is_dir() {
        // One file is named as it was given.
        let given = path.display().to_string();
        inventory.components.iter_mut().for_each(|component| component.file = Some(given.clone()));
        inventory.unresolved.iter_mut().for_each(|one| one.file = Some(given.clone()));
    }
    Ok(inventory)
}

/// The system's `os-release` for a package database of a root file system.
fn release_beside(name: &str) -> Option<File> {
    let root = ["var/lib/dpkg/", "lib/apk/db/"].iter().find_map(|inner| name.find(inner)).and_then(|at| name.get(..at))?;
    let path = format!("{root}etc/os-release");
    Some(File { bytes: std::fs::read(format!("/{path}")).ok()?, path })
}

/// Files of interest below a folder; links are not followed.
fn collect(folder: &Path, prefix: &str, depth: usize, files: &mut Vec<File>) -> anyhow::Result<()> {
    let bad = |path: &Path, why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", path.display()));
    if depth > DEPTH_MAX {
        return Err(bad(folder, &format!("folders are nested deeper than {DEPTH_MAX}")).into());
    }
    let entries = std::fs::read_dir(folder).map_err(|why| bad(folder, &why))?;
    for entry in entries {
        let entry = entry.map_err(|why| bad(folder, &why))?;
        let kind = entry.file_type().map_err(|why| bad(&entry.path(), &why))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
            collect(&entry.path(), &format!("{path}/"), depth + 1, files)?;
        } else if kind.is_file() && gather::wanted(&path) {
            if files.len() >= FILES_MAX {
                return Err(bad(folder, &format!("more than {FILES_MAX} lock files")).into());
            }
            files.push(File { bytes: read(&entry.path())?, path });
        }
    }
    Ok(())
}
