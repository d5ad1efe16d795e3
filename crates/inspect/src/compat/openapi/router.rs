//! Which operation answers a request: concrete paths to templates.

use super::operations::methods;
use super::source::Spec;
use crate::document::{NodeId, ReadError};
use std::collections::HashMap;

/// An operation that can be asked.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub method: String,
    pub template: String,
    pub item: NodeId,
    pub operation: NodeId,
}

impl Route {
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

/// Templates by their segments; a fixed segment wins over a parameter (OpenAPI 3.1, 4.8.8.2).
#[derive(Debug, Default)]
struct Branch {
    fixed: HashMap<String, Branch>,
    /// Segments with a parameter in them: what stands before and after it.
    open: Vec<(String, String, Branch)>,
    routes: Vec<Route>,
}

#[derive(Debug)]
pub(super) struct Router {
    tree: Branch,
    /// Paths of the servers' addresses; requests in a log begin with one of them.
    prefixes: Vec<String>,
}

impl Router {
    pub fn new(spec: &Spec) -> Result<Self, ReadError> {
        let mut tree = Branch::default();
        let paths = spec.part(spec.root, "paths")?;
        for (template, item) in paths.into_iter().flat_map(|node| spec.tree.entries(node)).filter(|entry| entry.0.starts_with('/')) {
            let item = spec.follow(item)?;
            let mut at = &mut tree;
            for segment in segments(template) {
                at = match segment.split_once('{') {
                    None => at.fixed.entry(segment.to_owned()).or_default(),
                    Some((before, rest)) => {
                        let after = rest.rsplit_once('}').map_or("", |(_, after)| after);
                        let known = at.open.iter().position(|open| open.0 == before && open.1 == after);
                        let place = known.unwrap_or(at.open.len());
                        if known.is_none() {
                            at.open.push((before.to_owned(), after.to_owned(), Branch::default()));
                        }
                        match at.open.get_mut(place) {
                            Some(open) => &mut open.2,
                            None => break,
                        }
                    }
                };
            }
            for (method, operation) in methods(spec, item)? {
                at.routes.push(Route { method, template: template.to_owned(), item, operation });
            }
        }
        let mut prefixes = Vec::new();
        let servers = spec.tree.get(spec.root, "servers").map(|list| spec.tree.items(list)).unwrap_or_default();
        for url in servers.iter().filter_map(|server| spec.tree.get_text(*server, "url")) {
            let path = match url.split_once("://") {
                Some((_, rest)) => rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or_default(),
                None => url,
            };
            let path = path.trim_end_matches('/');
            if !path.is_empty() && !path.contains('{') {
                prefixes.push(path.to_owned());
            }
        }
        Ok(Self { tree, prefixes })
    }

    /// The operation for a method and a path, whose query and server prefix may be there.
    pub fn find(&self, method: &str, path: &str) -> Option<&Route> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let stripped = self.prefixes.iter().filter_map(|prefix| path.strip_prefix(prefix.as_str())).filter(|rest| rest.starts_with('/'));
        std::iter::once(path).chain(stripped).find_map(|path| {
            let segments: Vec<&str> = segments(path).collect();
            let mut budget = 10_000;
            walk(&self.tree, &segments, method, &mut budget)
        })
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_start_matches('/').trim_end_matches('/').split('/')
}

fn walk<'r>(at: &'r Branch, rest: &[&str], method: &str, budget: &mut u32) -> Option<&'r Route> {
    *budget = budget.checked_sub(1)?;
    let Some((segment, rest)) = rest.split_first() else {
        return at.routes.iter().find(|route| route.method.eq_ignore_ascii_case(method));
    };
    if let Some(next) = at.fixed.get(*segment)
        && let Some(found) = walk(next, rest, method, budget)
    {
        return Some(found);
    }
    at.open.iter().find_map(|(before, after, next)| {
        let fits = segment.len() > before.len() + after.len() && segment.starts_with(before.as_str()) && segment.ends_with(after.as_str());
        if fits { walk(next, rest, method, budget) } else { None }
    })
}
