//! Which type a name means: scopes, packages and what a file sees through its imports.
//!
//! Source: the protobuf language specification, "Packages and Name Resolution". A name whose import the tree does not hold stays
//! a name: it is compared as text, and never guessed.

use super::known;
use super::syntax::{Body, FileSyntax};
use std::collections::{HashMap, HashSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Message(usize),
    Enum(usize),
    Service,
}

#[derive(Debug, PartialEq)]
pub(super) enum Resolved {
    Message {
        name: String,
        index: Option<usize>,
    },
    Enum {
        name: String,
        index: Option<usize>,
    },
    /// Declared in a file that the tree does not hold.
    Unknown(String),
    Wrong(String),
}

/// What one file sees.
#[derive(Debug, Default)]
struct Sight {
    files: HashSet<usize>,
    known: Vec<usize>,
    packages: HashSet<String>,
    /// Some import is not here, so a name that is not found may be declared there.
    opaque: bool,
}

#[derive(Debug, Default)]
pub(super) struct Names {
    declared: HashMap<String, (usize, What)>,
    sights: Vec<Sight>,
    paths: Vec<String>,
}

/// A declaration that is there twice: name, first file, second file, line in the second.
pub(super) struct Twice {
    pub name: String,
    pub first: usize,
    pub second: usize,
    pub line: u32,
}

/// An import that no file answers.
pub(super) struct Missing {
    pub file: usize,
    pub line: u32,
    pub path: String,
}

pub(super) fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// Counts messages and enums in the order in which the linker builds them.
struct Declaring {
    names: Names,
    messages: usize,
    enums: usize,
    twice: Vec<Twice>,
}

impl Declaring {
    fn declare(&mut self, file: usize, name: String, what: What, line: u32) {
        if let Some((first, _)) = self.names.declared.get(&name) {
            self.twice.push(Twice { first: *first, name, second: file, line });
        } else {
            self.names.declared.insert(name, (file, what));
        }
    }

    fn body(&mut self, file: usize, scope: &str, body: &Body) {
        for found in &body.enums {
            let what = What::Enum(self.enums);
            self.enums += 1;
            self.declare(file, join(scope, &found.name), what, found.line);
        }
        for message in &body.messages {
            let what = What::Message(self.messages);
            self.messages += 1;
            let name = join(scope, &message.name);
            self.declare(file, name.clone(), what, message.line);
            self.body(file, &name, &message.body);
        }
    }
}

impl Names {
    /// All declarations of a tree, and what each file sees of them.
    pub fn declare(files: &[(String, FileSyntax)]) -> (Self, Vec<Twice>, Vec<Missing>) {
        let mut declaring = Declaring { names: Names::default(), messages: 0, enums: 0, twice: Vec::new() };
        for (index, (_, file)) in files.iter().enumerate() {
            declaring.body(index, &file.package, &file.top);
            for service in &file.services {
                declaring.declare(index, join(&file.package, &service.name), What::Service, service.line);
            }
        }
        let Declaring { mut names, twice, .. } = declaring;
        names.paths = files.iter().map(|(path, _)| path.clone()).collect();
        let mut missing = Vec::new();
        let imports = Imports::of(files, &mut missing);
        names.sights = (0..files.len()).map(|index| imports.sight(index, files)).collect();
        (names, twice, missing)
    }

    fn seen(&self, sight: &Sight, name: &str) -> Option<Resolved> {
        match self.declared.get(name) {
            Some((file, What::Message(index))) if sight.files.contains(file) => {
                Some(Resolved::Message { name: name.to_owned(), index: Some(*index) })
            }
            Some((file, What::Enum(index))) if sight.files.contains(file) => {
                Some(Resolved::Enum { name: name.to_owned(), index: Some(*index) })
            }
            _ => known::is_enum(name, &sight.known).map(|is_enum| {
                if is_enum {
                    Resolved::Enum { name: name.to_owned(), index: None }
                } else {
                    Resolved::Message { name: name.to_owned(), index: None }
                }
            }),
        }
    }

    fn is_scope(&self, sight: &Sight, name: &str) -> bool {
        sight.packages.contains(name)
            || self.declared.get(name).is_some_and(|(file, _)| sight.files.contains(file))
            || known::is_package(name, &sight.known)
            || known::is_enum(name, &sight.known).is_some()
    }

    /// What `name`, written inside `scope` of a file, means.
    pub fn resolve(&self, file: usize, scope: &str, name: &str) -> Resolved {
        let Some(sight) = self.sights.get(file) else { return Resolved::Wrong("this file is not in the tree".to_owned()) };
        if let Some(full) = name.strip_prefix('.') {
            return self.seen(sight, full).unwrap_or_else(|| self.unseen(sight, "", full));
        }
        let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        let mut around = scope;
        loop {
            let candidate = join(around, first);
            match rest {
                None => {
                    if let Some(found) = self.seen(sight, &candidate) {
                        return found;
                    }
                }
                // The innermost scope with the first part decides, even where the rest is not in it.
                Some(rest) if self.is_scope(sight, &candidate) => {
                    let full = join(&candidate, rest);
                    return self.seen(sight, &full).unwrap_or_else(|| self.unseen(sight, "", &full));
                }
                Some(_) => {}
            }
            if around.is_empty() {
                return self.unseen(sight, scope, name);
            }
            around = around.rsplit_once('.').map_or("", |(outer, _)| outer);
        }
    }

    fn unseen(&self, sight: &Sight, scope: &str, name: &str) -> Resolved {
        if sight.opaque {
            return Resolved::Unknown(name.to_owned());
        }
        let mut around = scope;
        loop {
            if let Some((file, what)) = self.declared.get(&join(around, name)) {
                let path = self.paths.get(*file).map_or("", String::as_str);
                return Resolved::Wrong(match what {
                    What::Service => format!("{name} is a service, not a type"),
                    _ => format!("{name} is declared in {path}, which this file does not import"),
                });
            }
            if around.is_empty() {
                return Resolved::Wrong(format!("{name} is not declared in this file or in what it imports"));
            }
            around = around.rsplit_once('.').map_or("", |(outer, _)| outer);
        }
    }
}

/// The imports of a tree as indexes.
struct Imports {
    /// For each file: (file, public).
    files: Vec<Vec<(usize, bool)>>,
    /// For each file: (known file, public).
    known: Vec<Vec<(usize, bool)>>,
    /// For each file: whether an import is not here, and whether such a one is public.
    missing: Vec<(bool, bool)>,
}

impl Imports {
    fn of(files: &[(String, FileSyntax)], missing: &mut Vec<Missing>) -> Self {
        let by_path: HashMap<&str, usize> = files.iter().enumerate().map(|(index, (path, _))| (path.as_str(), index)).collect();
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, (path, _)) in files.iter().enumerate() {
            by_name.entry(path.rsplit('/').next().unwrap_or(path)).or_default().push(index);
        }
        let mut all =
            Self { files: vec![Vec::new(); files.len()], known: vec![Vec::new(); files.len()], missing: vec![(false, false); files.len()] };
        for (index, (path, file)) in files.iter().enumerate() {
            for import in &file.imports {
                let found = by_path.get(import.path.as_str()).copied().or_else(|| below_a_root(files, &by_name, path, &import.path));
                if let Some(found) = found {
                    all.files[index].push((found, import.public));
                } else if let Some(known) = known::file(&import.path) {
                    all.known[index].push((known, import.public));
                } else {
                    // Options of other files say nothing about types.
                    if !import.option {
                        let (any, public) = all.missing[index];
                        all.missing[index] = (any || !import.public, public || import.public);
                    }
                    missing.push(Missing { file: index, line: import.line, path: import.path.clone() });
                }
            }
        }
        all
    }

    /// The file itself, what it imports, and what those import publicly.
    fn sight(&self, index: usize, files: &[(String, FileSyntax)]) -> Sight {
        let mut sight = Sight { files: HashSet::from([index]), ..Sight::default() };
        let mut open = vec![(index, true)];
        while let Some((file, own)) = open.pop() {
            let (private, public) = self.missing.get(file).copied().unwrap_or_default();
            sight.opaque |= public || (own && private);
            let visible = |list: &Vec<Vec<(usize, bool)>>| -> Vec<usize> {
                let all = list.get(file).map_or(&[][..], Vec::as_slice);
                all.iter().filter(|(_, public)| own || *public).map(|(target, _)| *target).collect()
            };
            sight.known.extend(visible(&self.known));
            for target in visible(&self.files) {
                if sight.files.insert(target) {
                    open.push((target, false));
                }
            }
        }
        for file in &sight.files {
            let mut package = files.get(*file).map_or("", |(_, file)| file.package.as_str());
            while !package.is_empty() && sight.packages.insert(package.to_owned()) {
                package = package.rsplit_once('.').map_or("", |(outer, _)| outer);
            }
        }
        sight
    }
}

/// Trees of several roots import below each of them: the file whose path ends with the import, and of several the one that shares
/// most of its folders with the importing file.
fn below_a_root(files: &[(String, FileSyntax)], by_name: &HashMap<&str, Vec<usize>>, importing: &str, import: &str) -> Option<usize> {
    const CANDIDATES_MAX: usize = 1_000;
    let candidates = by_name.get(import.rsplit('/').next().unwrap_or(import))?;
    let shared = |path: &str| path.split('/').zip(importing.split('/')).take_while(|(a, b)| a == b).count();
    candidates
        .iter()
        .take(CANDIDATES_MAX)
        .filter(|index| files.get(**index).is_some_and(|(path, _)| path.strip_suffix(import).is_some_and(|rest| rest.ends_with('/'))))
        .max_by_key(|index| (files.get(**index).map_or(0, |(path, _)| shared(path)), usize::MAX - **index))
        .copied()
}
