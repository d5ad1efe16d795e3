//! What the language refuses although every sentence is right: numbers and names that collide.
//!
//! Without these a tree could be called compatible that no compiler takes. Not all of them: naming rules and JSON conflicts are left
//! to the compiler.

use super::Problem;
use super::model::{Field, Message, Tree, in_ranges, joined};
use super::parser::FIELD_NUMBER_MAX;
use super::syntax::EnumSyntax;
use std::collections::{HashMap, HashSet};

/// Problems of an enum's values.
pub(super) fn values(found: &EnumSyntax, allow_alias: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    let reserved = joined(&found.reserved.ranges);
    let reserved_names: HashSet<&str> = found.reserved.names.iter().map(String::as_str).collect();
    let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
    for value in &found.values {
        let problem = if !names.insert(value.name.as_str()) {
            Some(format!("the value {} is there a second time", value.name))
        } else if !numbers.insert(value.number) && !allow_alias {
            Some(format!("the number {} is there a second time: expected option allow_alias = true", value.number))
        } else if in_ranges(&reserved, value.number) {
            Some(format!("the number {} is reserved", value.number))
        } else if reserved_names.contains(value.name.as_str()) {
            Some(format!("the name {:?} is reserved", value.name))
        } else {
            None
        };
        problems.extend(problem.map(|message| Problem::new(value.line, message)));
    }
    problems
}

/// Problems of all messages and extensions, with the index of their file.
pub(super) fn tree(tree: &Tree) -> Vec<(usize, Problem)> {
    let mut problems: Vec<(usize, Problem)> = Vec::new();
    for message in &tree.messages {
        fields(message, &mut problems);
    }
    let mut taken: HashMap<(&str, i64), &str> = HashMap::new();
    for extension in &tree.extensions {
        if let Some(message) = extension_problem(tree, extension) {
            problems.push((extension.file, Problem::new(extension.line, message)));
        }
        let extendee = extension.extendee.as_deref().unwrap_or_default();
        if let Some(first) = taken.insert((extendee, extension.number), &extension.full_name) {
            let message = format!("the number {} of {extendee} is taken by the extension {first}", extension.number);
            problems.push((extension.file, Problem::new(extension.line, message)));
        }
    }
    problems
}

fn fields(message: &Message, problems: &mut Vec<(usize, Problem)>) {
    let reserved_names: HashSet<&str> = message.reserved_names.iter().map(String::as_str).collect();
    let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
    for field in &message.fields {
        let problem = if !names.insert(field.name.as_str()) {
            Some(format!("the field {} is there a second time", field.name))
        } else if !numbers.insert(field.number) {
            Some(format!("the number {} is there a second time", field.number))
        } else if field.number > FIELD_NUMBER_MAX || (19_000..=19_999).contains(&field.number) {
            Some(format!("{} is no number of a field: expected 1 to {FIELD_NUMBER_MAX} without 19000 to 19999", field.number))
        } else if in_ranges(&message.reserved, field.number) {
            Some(format!("the number {} is reserved", field.number))
        } else if in_ranges(&message.extension_ranges, field.number) {
            Some(format!("the number {} is kept for extensions", field.number))
        } else if reserved_names.contains(field.name.as_str()) {
            Some(format!("the name {:?} is reserved", field.name))
        } else {
            None
        };
        problems.extend(problem.map(|text| (message.file, Problem::new(field.line, text))));
    }
}

fn extension_problem(tree: &Tree, extension: &Field) -> Option<String> {
    let extended = tree.message(extension.extendee.as_deref()?)?;
    if in_ranges(&extended.extension_ranges, extension.number) {
        return None;
    }
    Some(format!("{} keeps no extension range with the number {}", extended.name, extension.number))
}
