//! Reading the parser's tree: names, words and children, without its 76,000 lines of typed accessors.
//!
//! Does not interpret statements: that is [`super::read`].

pub use squawk_syntax::SyntaxKind as K;
pub use squawk_syntax::SyntaxNode as Node;
use squawk_syntax::SyntaxToken;

/// A name as PostgreSQL keeps it, written so that it can be pasted: folded to lower case unless quoted, quoted where it
/// must be, without `public.`.
pub type Name = String;

pub fn child(node: &Node, kind: K) -> Option<Node> {
    node.children().find(|child| child.kind() == kind)
}

pub fn children(node: &Node, kind: K) -> impl Iterator<Item = Node> {
    node.children().filter(move |child| child.kind() == kind)
}

/// The first node of that kind below, at any depth.
pub fn below(node: &Node, kind: K) -> Option<Node> {
    node.descendants().find(|child| child.kind() == kind)
}

/// Whether a token or a node of that kind is directly inside.
pub fn has(node: &Node, kind: K) -> bool {
    node.children_with_tokens().any(|child| child.kind() == kind)
}

/// All tokens but spaces and comments.
pub fn words(node: &Node) -> impl Iterator<Item = SyntaxToken> {
    node.descendants_with_tokens()
        .filter_map(squawk_syntax::SyntaxElement::into_token)
        .filter(|token| !matches!(token.kind(), K::WHITESPACE | K::COMMENT))
}

/// The text with single spaces, as it was written otherwise, cut to `limit` characters.
pub fn text(node: &Node, limit: usize) -> String {
    let mut text = String::new();
    let mut end = None;
    for token in words(node) {
        // Words that touch in the source touch here.
        if end.is_some_and(|end| end != token.text_range().start()) {
            text.push(' ');
        }
        text.push_str(token.text());
        end = Some(token.text_range().end());
        if text.len() > limit {
            let cut = text.char_indices().nth(limit).map(|(at, _)| at);
            if let Some(cut) = cut {
                text.truncate(cut);
                text.push('…');
                return text;
            }
        }
    }
    text
}

/// The name in a node that is a name or a reference, with its schema.
pub fn name(node: &Node) -> Name {
    let mut parts: Vec<String> = Vec::new();
    for token in words(node) {
        match token.kind() {
            K::DOT | K::ONLY_KW | K::STAR | K::L_PAREN | K::R_PAREN => {}
            _ => parts.push(part(token.text())),
        }
    }
    if parts.len() == 2 && parts.first().is_some_and(|schema| schema == "public") {
        parts.remove(0);
    }
    parts.join(".")
}

/// The name in the first child of that kind.
pub fn named(node: &Node, kind: K) -> Option<Name> {
    child(node, kind).as_ref().map(name)
}

/// Names in all children of that kind.
pub fn all_named(node: &Node, kind: K) -> Vec<Name> {
    children(node, kind).map(|child| name(&child)).collect()
}

/// The last part of a name: what is left when the schema goes.
pub fn bare(name: &str) -> &str {
    if name.ends_with('"') { name } else { name.rsplit('.').next().unwrap_or(name) }
}

/// One part of a name, as the catalog and a person write it.
pub fn part(text: &str) -> String {
    let plain = |text: &str| {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'$')
    };
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if plain(inner) && !squawk_syntax::quote::is_reserved_word(inner) => inner.to_owned(),
        Some(_) => text.to_owned(),
        None => text.to_lowercase(),
    }
}

/// A string literal's value, where it is a plain one.
pub fn literal(text: &str) -> String {
    let inner = text.trim_start_matches(['e', 'E']).trim_matches('\'');
    inner.replace("''", "'")
}
