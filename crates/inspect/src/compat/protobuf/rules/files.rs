//! Rules about files, packages, and what was deleted from them.

use super::table::{
    ENUM_NO_DELETE, EXTENSION_NO_DELETE, FILE_NO_DELETE, FILE_OPTIONS, FILE_SAME_PACKAGE, FILE_SAME_SYNTAX, IMPORT_NOT_FOUND,
    MESSAGE_NO_DELETE, PACKAGE_ENUM_NO_DELETE, PACKAGE_EXTENSION_NO_DELETE, PACKAGE_MESSAGE_NO_DELETE, PACKAGE_NO_DELETE,
    PACKAGE_SERVICE_NO_DELETE, RuleInfo, SERVICE_NO_DELETE,
};
use super::{At, Comparison, Level, mend};
use std::collections::{HashMap, HashSet};

/// A declaration that could be deleted.
struct Declared<'a> {
    kind: &'static str,
    name: &'a str,
    at: At,
    by_file: &'static RuleInfo,
    by_package: &'static RuleInfo,
}

pub(super) fn compare(all: &mut Comparison<'_>) {
    files(all);
    deleted(all);
    imports(all);
}

fn files(all: &mut Comparison<'_>) {
    let (base, revision) = (all.base, all.revision);
    for (index, before) in base.files.iter().enumerate() {
        let at = At { file: index, line: 1 };
        let Some(same) = revision.file(&before.path) else {
            let found = all.gone(&FILE_NO_DELETE, &before.path, None, at, format!("The file {} was deleted.", before.path));
            mend(found, "keep the file and import publicly from it what moved");
            continue;
        };
        let now = &revision.files[same];
        // From one edition to the next, features say what changed.
        if before.edition != now.edition && !(before.edition.has_features() && now.edition.has_features()) {
            let message = format!("{} changed from {} to {}.", now.path, before.edition.word(), now.edition.word());
            let place = At { file: same, line: now.edition_line };
            all.say(&FILE_SAME_SYNTAX, &now.path, place, Some(At { file: index, line: before.edition_line }), message);
        }
        if before.package != now.package {
            let message = format!("{} changed its package from {:?} to {:?}.", now.path, before.package, now.package);
            let place = At { file: same, line: now.package_line };
            let found = all.say(&FILE_SAME_PACKAGE, &now.path, place, Some(At { file: index, line: before.package_line }), message);
            mend(found, format!("keep package {:?} and add the new package in a file of its own", before.package));
        }
        for (option, rule, unset) in &FILE_OPTIONS {
            let value = |file: &super::super::model::File| {
                file.options.get(*option).map_or(((*unset).to_owned(), 1), |(value, line)| (value.clone(), *line))
            };
            let ((old, old_line), (new, new_line)) = (value(before), value(now));
            if old != new {
                let message = format!("{} changed its option {option} from {old:?} to {new:?}.", now.path);
                let found = all.say(rule, &now.path, At { file: same, line: new_line }, Some(At { file: index, line: old_line }), message);
                mend(found, format!("option {option} = {old:?};"));
            }
        }
    }
}

fn declared<'a>(all: &Comparison<'a>) -> Vec<Declared<'a>> {
    let base = all.base;
    let mut list = Vec::new();
    let mut add = |kind, name, file, line, by_file, by_package| {
        list.push(Declared { kind, name, at: At { file, line }, by_file, by_package });
    };
    // The entry of a map goes with its field.
    for message in base.messages.iter().filter(|message| !message.map_entry) {
        add("message", message.name.as_str(), message.file, message.line, &MESSAGE_NO_DELETE, &PACKAGE_MESSAGE_NO_DELETE);
    }
    for found in &base.enums {
        add("enum", &found.name, found.file, found.line, &ENUM_NO_DELETE, &PACKAGE_ENUM_NO_DELETE);
    }
    // On the wire an extension is its number, whatever it is named.
    let kept = if all.level.is_wire() { kept_numbers(all) } else { HashSet::new() };
    for extension in &base.extensions {
        if kept.contains(&(extension.extendee.as_deref().unwrap_or_default(), extension.number)) {
            continue;
        }
        add("extension", &extension.full_name, extension.file, extension.line, &EXTENSION_NO_DELETE, &PACKAGE_EXTENSION_NO_DELETE);
    }
    for service in &base.services {
        add("service", &service.name, service.file, service.line, &SERVICE_NO_DELETE, &PACKAGE_SERVICE_NO_DELETE);
    }
    list
}

/// The numbers that fields or extensions of the revision have in those messages that the base extends.
fn kept_numbers<'a>(all: &Comparison<'a>) -> HashSet<(&'a str, i64)> {
    let extended: HashSet<&str> = all.base.extensions.iter().filter_map(|extension| extension.extendee.as_deref()).collect();
    let own = extended.into_iter().filter_map(|name| all.revision.message(name));
    let own = own.flat_map(|message| message.fields.iter().map(|field| (message.name.as_str(), field.number)));
    let extensions = all.revision.extensions.iter().filter_map(|other| Some((other.extendee.as_deref()?, other.number)));
    own.chain(extensions).collect()
}

/// Where the revision declares full names.
fn places<'a>(all: &Comparison<'a>) -> HashMap<&'a str, At> {
    let revision = all.revision;
    let mut places = HashMap::new();
    for message in revision.messages.iter().filter(|message| !message.map_entry) {
        places.insert(message.name.as_str(), At { file: message.file, line: message.line });
    }
    for found in &revision.enums {
        places.insert(&found.name, At { file: found.file, line: found.line });
    }
    for extension in &revision.extensions {
        places.insert(&extension.full_name, At { file: extension.file, line: extension.line });
    }
    for service in &revision.services {
        places.insert(&service.name, At { file: service.file, line: service.line });
    }
    places
}

fn deleted(all: &mut Comparison<'_>) {
    let (base, revision) = (all.base, all.revision);
    let list = declared(all);
    let now = places(all);
    let packages: HashSet<&str> = revision.files.iter().map(|file| file.package.as_str()).collect();
    let mut reported = HashSet::new();
    for (index, file) in base.files.iter().enumerate() {
        if !packages.contains(file.package.as_str()) && reported.insert(file.package.as_str()) {
            let message = format!("The package {:?} was deleted.", file.package);
            all.gone(&PACKAGE_NO_DELETE, &file.package, None, At { file: index, line: file.package_line }, message);
        }
    }
    let mut gone: HashSet<&str> = HashSet::new();
    for one in &list {
        let path = &base.files[one.at.file].path;
        let same_file = revision.file(path);
        // Within a file a thing is known by its name below the package; across files by its full name.
        let here = same_file.map(|file| {
            let nested = base.nested(one.at.file, one.name);
            let package = revision.package(file);
            if package.is_empty() { nested.to_owned() } else { format!("{package}.{nested}") }
        });
        let kept = match all.level {
            // Of a deleted file, the file is reported.
            Level::Source => {
                same_file.is_none() || here.as_deref().is_some_and(|name| now.get(name).is_some_and(|at| Some(at.file) == same_file))
            }
            Level::Package => now.contains_key(one.name) || !packages.contains(base.package(one.at.file)),
            // Of a file with another package, the package is reported.
            Level::WireJson | Level::Wire => {
                now.contains_key(one.name) || here.as_deref().is_some_and(|name| name != one.name && now.contains_key(name))
            }
        };
        if kept {
            continue;
        }
        gone.insert(one.name);
        // What is inside of something deleted goes with it.
        let inside = one.name.match_indices('.').any(|(end, _)| gone.contains(&one.name[..end]));
        let rule = if all.level == Level::Package { one.by_package } else { one.by_file };
        if inside || !all.on(rule) {
            continue;
        }
        let parent = one.name.match_indices('.').rev().find_map(|(end, _)| now.get(&one.name[..end]).copied());
        let around = parent.or(same_file.map(|file| At { file, line: 1 }));
        let (message, fix) = match now.get(one.name) {
            Some(moved) => {
                let target = &revision.files[moved.file].path;
                (
                    format!("The {} {} moved from {path} to {target}.", one.kind, one.name),
                    format!("keep it in {path}, or import {target} publicly there and judge at --level package"),
                )
            }
            None => (format!("The {} {} was deleted.", one.kind, one.name), format!("keep the {} and mark it deprecated", one.kind)),
        };
        let found = all.gone(rule, one.name, around, one.at, message);
        mend(found, fix);
    }
}

fn imports(all: &mut Comparison<'_>) {
    let revision = all.revision;
    for import in &revision.missing_imports {
        let message = format!("{} is not in the tree: its types are compared by name alone.", import.path);
        let path = revision.files[import.file].path.clone();
        let found = all.say(&IMPORT_NOT_FOUND, &path, At { file: import.file, line: import.line }, None, message);
        mend(found, "put the imported files below the directory");
    }
}
