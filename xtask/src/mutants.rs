//! Takes checks out of the code, one at a time, and demands that the test which claims to guard them fails.
//!
//! A mutation is declared in `tests/mutations/NAME.toml`:
//!
//!     name    = "the author may approve"
//!     file    = "crates/domain/src/governance/approvals.rs"
//!     find    = "authors.contains(person)"
//!     replace = "false"
//!     test    = "-p holdpoint-tests --test abuse author_approves"
//!
//! Values are basic strings or `'''` blocks. The work is done in a git worktree of HEAD below target/, with a target
//! folder of its own, so nobody's build is disturbed. First the test must pass there as it is: a test that fails anyway, or
//! runs nothing, proves nothing. A mutation that does not compile proves nothing either.

use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Clone)]
pub struct Mutation {
    pub name: String,
    pub file: String,
    pub find: String,
    pub replace: String,
    /// Arguments of `cargo test`.
    pub test: String,
}

impl Mutation {
    pub fn parse(text: &str) -> Result<Self> {
        let mut values = parse_strings(text)?;
        let mut take = |key: &str| values.remove(key).with_context(|| format!("has no {key:?}"));
        let mutation =
            Self { name: take("name")?, file: take("file")?, find: take("find")?, replace: take("replace")?, test: take("test")? };
        if let Some(key) = values.keys().next() {
            bail!("unknown key {key:?}");
        }
        if mutation.find.trim().is_empty() || mutation.find == mutation.replace {
            bail!("`find` must be something, and `replace` something else");
        }
        Ok(mutation)
    }
}

/// The part of TOML that is needed here: `key = "basic"` and `key = '''block'''`.
fn parse_strings(text: &str) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(values);
        }
        if rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let (key, after) = rest.split_once('=').context("expected key = value")?;
        let after = after.trim_start_matches([' ', '\t']);
        let (value, after) = if let Some(block) = after.strip_prefix("'''") {
            let (value, after) = block.split_once("'''").context("a ''' block is not closed")?;
            (value.strip_prefix('\n').unwrap_or(value).to_owned(), after)
        } else if let Some(basic) = after.strip_prefix('"') {
            basic_string(basic)?
        } else {
            bail!("the value of {:?} is no string", key.trim());
        };
        if values.insert(key.trim().to_owned(), value).is_some() {
            bail!("{:?} stands twice", key.trim());
        }
        rest = after;
    }
}

fn basic_string(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\n' => bail!("a string is not closed on its line"),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, c @ ('"' | '\\'))) => value.push(c),
                other => bail!("unknown escape {other:?}"),
            },
            c => value.push(c),
        }
    }
    bail!("a string is not closed")
}

pub fn run(root: &Path, names: &[String]) -> Result<bool> {
    let mutations = chosen(root, names)?;
    if mutations.is_empty() {
        println!("no mutation is declared in tests/mutations");
        return Ok(names.is_empty());
    }
    let copy = Copy::new(root)?;
    let tests: BTreeSet<&str> = mutations.iter().map(|mutation| mutation.test.as_str()).collect();
    let mut sound: BTreeSet<&str> = BTreeSet::new();
    for test in tests {
        match copy.test(test)? {
            Outcome::Passed => _ = sound.insert(test),
            other => println!("UNSOUND  cargo test {test}: without a mutation it {other:?}"),
        }
    }
    let mut survivors = mutations.iter().filter(|mutation| !sound.contains(mutation.test.as_str())).count();
    for mutation in mutations.iter().filter(|mutation| sound.contains(mutation.test.as_str())) {
        let outcome = copy.with_mutation(mutation)?;
        let word = match outcome {
            Outcome::Failed => "caught",
            Outcome::Passed => "SURVIVED",
            Outcome::NotBuilt => "NOT BUILT",
            Outcome::RanNothing => "RAN NOTHING",
        };
        survivors += usize::from(outcome != Outcome::Failed);
        println!("{word:11} {}  ({})", mutation.name, mutation.test);
    }
    println!("mutants: {} declared, {survivors} not caught", mutations.len());
    Ok(survivors == 0)
}

fn chosen(root: &Path, names: &[String]) -> Result<Vec<Mutation>> {
    let folder = root.join("tests/mutations");
    let mut files: Vec<PathBuf> = match std::fs::read_dir(&folder) {
        Ok(entries) => {
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|end| end == "toml")).collect()
        }
        Err(_) => Vec::new(),
    };
    files.sort();
    let mut mutations = Vec::new();
    for file in files {
        let mutation = Mutation::parse(&std::fs::read_to_string(&file)?).with_context(|| file.display().to_string())?;
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
        if names.is_empty() || names.iter().any(|name| name == stem || mutation.name.contains(name.as_str())) {
            mutations.push(mutation);
        }
    }
    Ok(mutations)
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    NotBuilt,
    RanNothing,
}

/// A worktree of HEAD with its own target folder, removed when done; the target folder stays for the next time.
struct Copy<'a> {
    root: &'a Path,
    tree: PathBuf,
    target: PathBuf,
}

impl<'a> Copy<'a> {
    fn new(root: &'a Path) -> Result<Self> {
        let folder = root.join("target/mutants");
        let tree = folder.join("tree");
        std::fs::create_dir_all(&folder)?;
        if tree.exists() {
            remove_worktree(root, &tree);
        }
        let status = Command::new("git")
            .args(["worktree", "add", "--quiet", "--detach", "--force"])
            .arg(&tree)
            .arg("HEAD")
            .current_dir(root)
            .status()
            .context("running git worktree add")?;
        if !status.success() {
            bail!("git worktree add failed");
        }
        let copy = Self { root, tree, target: folder.join("target") };
        copy.bring("tests/browser/node_modules")?;
        copy.bring("web/dist")?;
        Ok(copy)
    }

    /// What is built outside of git and only read by tests is linked in.
    fn bring(&self, path: &str) -> Result<()> {
        let (from, to) = (self.root.join(path), self.tree.join(path));
        if from.exists() && !to.exists() && to.parent().is_some_and(Path::exists) {
            std::os::unix::fs::symlink(from, to)?;
        }
        Ok(())
    }

    fn with_mutation(&self, mutation: &Mutation) -> Result<Outcome> {
        let path = self.tree.join(&mutation.file);
        let original = std::fs::read_to_string(&path).with_context(|| format!("{}: reading {}", mutation.name, mutation.file))?;
        if original.matches(&mutation.find).count() != 1 {
            bail!("{}: `find` does not stand exactly once in {} of HEAD", mutation.name, mutation.file);
        }
        std::fs::write(&path, original.replacen(&mutation.find, &mutation.replace, 1))?;
        let outcome = self.test(&mutation.test);
        std::fs::write(&path, original)?;
        outcome
    }

    fn test(&self, test: &str) -> Result<Outcome> {
        let args: Vec<&str> = test.split_whitespace().collect();
        // Tests of the whole product start the binary; it must be the mutated one.
        if args.contains(&"holdpoint-tests") && !self.cargo(&["build", "--quiet", "-p", "holdpoint"])?.status.success() {
            return Ok(Outcome::NotBuilt);
        }
        let mut build = vec!["test", "--quiet", "--no-run"];
        build.extend(&args);
        if !self.cargo(&build)?.status.success() {
            return Ok(Outcome::NotBuilt);
        }
        let mut run = vec!["test"];
        run.extend(&args);
        let output = self.cargo(&run)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let ran = text.lines().any(|line| line.starts_with("test ") && (line.ends_with(" ok") || line.ends_with(" FAILED")));
        Ok(match (ran, output.status.success()) {
            (false, _) => Outcome::RanNothing,
            (true, true) => Outcome::Passed,
            (true, false) => Outcome::Failed,
        })
    }

    fn cargo(&self, args: &[&str]) -> Result<std::process::Output> {
        Command::new("cargo")
            .args(args)
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .output()
            .with_context(|| format!("running cargo {}", args.join(" ")))
    }
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        remove_worktree(self.root, &self.tree);
    }
}

fn remove_worktree(root: &Path, tree: &Path) {
    // Best effort: the next run begins by removing what is left.
    _ = Command::new("git").args(["worktree", "remove", "--force"]).arg(tree).current_dir(root).output();
    _ = std::fs::remove_dir_all(tree);
    _ = Command::new("git").args(["worktree", "prune"]).current_dir(root).output();
}

#[cfg(test)]
mod tests {
    use super::Mutation;

    #[test]
    fn declarations_are_read() {
        let text = "# why\nname = \"n \\\"q\\\"\"\nfile = \"a.rs\"\nfind = '''\nif x {\n}'''\nreplace = \"\"\ntest = \"-p a b\"\n";
        let mutation = Mutation::parse(text).expect("read");
        assert_eq!((mutation.name.as_str(), mutation.find.as_str(), mutation.replace.as_str()), ("n \"q\"", "if x {\n}", ""));
        for wrong in [
            text.replace("find", "fund"),
            text.replace("'''\nif x {\n}'''", "\"\""),
            text.replace("-p a b\"", "-p a b"),
            format!("{text}name = \"x\"\n"),
        ] {
            assert!(Mutation::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
