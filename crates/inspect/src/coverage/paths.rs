//! Whose file is whose: paths of a coverage report against paths of a diff, and patterns that leave files out.

use super::Coverage;
use std::collections::BTreeMap;

/// Which measured file a changed one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// By this name in the report.
    Measured(String),
    /// Several could be it.
    Ambiguous(Vec<String>),
    Unmeasured,
}

/// Matches changed paths with measured ones: the same path after `strip` and the report's own roots were taken off, or
/// else the one path that ends with the other at a folder's border. What fits two is ambiguous, never guessed.
pub fn matches(coverage: &Coverage, strip: &[String], changed: &[&str]) -> BTreeMap<String, Match> {
    let mut by_path: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in coverage.files.keys() {
        by_path.entry(bare(name, strip)).or_default().push(name);
        for root in &coverage.roots {
            by_path.entry(bare(&format!("{}/{name}", root.trim_end_matches(['/', '\\'])), strip)).or_default().push(name);
        }
    }
    // Paths by their last part, so that only those are compared that can fit.
    let mut by_end: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in by_path.keys() {
        by_end.entry(path.rsplit('/').next().unwrap_or_default()).or_default().push(path);
    }
    let mut found: BTreeMap<String, Match> = BTreeMap::new();
    for &path in changed {
        let wanted = bare(path, &[]);
        let exact: Vec<&str> = by_path.get(&wanted).cloned().unwrap_or_default();
        let fits = if exact.is_empty() {
            let ends = by_end.get(wanted.rsplit('/').next().unwrap_or_default()).cloned().unwrap_or_default();
            let mut fits: Vec<&str> = ends
                .into_iter()
                .filter(|measured| ends_with(measured, &wanted) || ends_with(&wanted, measured))
                .flat_map(|measured| by_path[measured].iter().copied())
                .collect();
            fits.sort_unstable();
            fits.dedup();
            fits
        } else {
            exact
        };
        let one = match fits.as_slice() {
            [] => Match::Unmeasured,
            [one] => Match::Measured((*one).to_owned()),
            many => Match::Ambiguous(many.iter().map(|name| (*name).to_owned()).collect()),
        };
        found.insert(path.to_owned(), one);
    }
    refuse_shared(&mut found);
    found
}

/// One measured file that two changed ones lay claim to proves nothing about either.
fn refuse_shared(found: &mut BTreeMap<String, Match>) {
    let mut claims: BTreeMap<String, usize> = BTreeMap::new();
    for one in found.values() {
        if let Match::Measured(name) = one {
            *claims.entry(name.clone()).or_default() += 1;
        }
    }
    for (path, one) in found.iter_mut() {
        if let Match::Measured(name) = one
            && claims.get(name).is_some_and(|claims| *claims > 1)
            && bare(name, &[]) != bare(path, &[])
        {
            *one = Match::Ambiguous(vec![name.clone()]);
        }
    }
}

fn ends_with(long: &str, short: &str) -> bool {
    long.strip_suffix(short).is_some_and(|rest| rest.ends_with('/')) && !short.is_empty()
}

/// With `/`, without `./` and the first prefix of `strip` that it starts with.
fn bare(path: &str, strip: &[String]) -> String {
    let path = path.replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| !last.is_empty() && *last != "..") => {
                parts.pop();
            }
            // Several slashes are one; the first one is the root.
            "" if !parts.is_empty() => {}
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    for prefix in strip {
        let prefix = prefix.replace('\\', "/");
        let prefix = prefix.trim_end_matches('/');
        if let Some(rest) = path.strip_prefix(prefix)
            && (rest.starts_with('/') || prefix.is_empty())
        {
            return rest.trim_start_matches('/').to_owned();
        }
    }
    path
}

/// A pattern of paths: `*` and `?` within a folder, `**` across folders; without `/` it fits the name in any folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<char>);

impl Glob {
    pub fn new(pattern: &str) -> Glob {
        let pattern = pattern.trim_end_matches('/');
        let anywhere = !pattern.contains('/') && pattern != "**";
        Glob(if anywhere { format!("**/{pattern}") } else { pattern.trim_start_matches("./").to_owned() }.chars().collect())
    }

    /// In time of the two lengths multiplied, whatever the pattern.
    pub fn fits(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        // `reach[i]`: the pattern so far can end before the i-th character.
        let mut reach = vec![false; path.len() + 1];
        reach[0] = true;
        let mut at = 0;
        while at < self.0.len() {
            let mut next = vec![false; path.len() + 1];
            if self.0[at] == '*' && self.0.get(at + 1) == Some(&'*') {
                // `**/` also fits no folder at all.
                let slash = self.0.get(at + 2) == Some(&'/');
                let mut on = false;
                for i in 0..=path.len() {
                    on |= reach[i];
                    let border = i == 0 || path[i - 1] == '/';
                    next[i] = if slash { reach[i] || (on && border) } else { on };
                }
                at += if slash { 3 } else { 2 };
            } else if self.0[at] == '*' {
                let mut on = false;
                for i in 0..=path.len() {
                    on = reach[i] || (on && path[i - 1] != '/');
                    next[i] = on;
                }
                at += 1;
            } else {
                for i in 0..path.len() {
                    let same = if self.0[at] == '?' { path[i] != '/' } else { self.0[at] == path[i] };
                    next[i + 1] = reach[i] && same;
                }
                at += 1;
            }
            reach = next;
        }
        // A folder's pattern fits what is in it.
        (0..=path.len()).any(|i| reach[i] && (i == path.len() || path[i] == '/'))
    }
}
