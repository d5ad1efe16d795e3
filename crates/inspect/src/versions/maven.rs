//! Maven's order (maven.apache.org/pom.html, "Version Order Specification"), as `ComparableVersion` of Maven 3.9 has it.
//!
//! A version is a tree: a hyphen, and a change between digits and letters, opens a list inside the list. Comparing with
//! what is not there is comparing with nothing (`1` and `1.0` are equal). Beyond its documented cases it is no total
//! order; nothing here may sort by it.

use super::number::Number;
use std::cmp::Ordering;

#[derive(Debug, Clone)]
pub struct Maven(Vec<Item>);

#[derive(Debug, Clone)]
enum Item {
    Number(Number),
    Word(Qualifier),
    /// A word and its number: `rc1`, `rc-1`.
    Both(Qualifier, Number),
    List(Vec<Item>),
}

/// Place among the known qualifiers, and the word where it is none of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Qualifier {
    place: u8,
    word: String,
}

const RELEASE: u8 = 5;
const UNKNOWN: u8 = 7;

impl Qualifier {
    fn new(word: &str, before_number: bool) -> Qualifier {
        let word = match word {
            "a" if before_number => "alpha",
            "b" if before_number => "beta",
            "m" if before_number => "milestone",
            "cr" => "rc",
            other => other,
        };
        let place = match word {
            "alpha" => 0,
            "beta" => 1,
            "milestone" => 2,
            "rc" => 3,
            "snapshot" => 4,
            "" | "ga" | "final" | "release" => RELEASE,
            "sp" => 6,
            _ => UNKNOWN,
        };
        Qualifier { place, word: if place == UNKNOWN { word.to_owned() } else { String::new() } }
    }
}

impl Item {
    fn leaf(text: &str, both: bool, digits: bool) -> Item {
        if both {
            let text = text.replace('-', "");
            let at = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
            let (word, number) = text.split_at(at);
            return Item::Both(Qualifier::new(word, true), Number::read(number).unwrap_or_default());
        }
        match Number::read(text) {
            Some(number) if digits => Item::Number(number),
            _ => Item::Word(Qualifier::new(text, false)),
        }
    }
    fn is_null(&self) -> bool {
        match self {
            Item::Number(number) => number.is_zero(),
            Item::Word(_) | Item::Both(..) => false,
            Item::List(items) => items.is_empty(),
        }
    }
    /// `None` is the missing item.
    fn compare(&self, other: Option<&Item>) -> Ordering {
        match (self, other) {
            (Item::Number(a), None) => {
                if a.is_zero() {
                    Ordering::Equal
                } else {
                    Ordering::Greater
                }
            }
            (Item::Word(a) | Item::Both(a, _), None) => a.place.cmp(&RELEASE),
            (Item::List(items), None) => items.iter().map(|item| item.compare(None)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal),
            (Item::Number(a), Some(Item::Number(b))) => a.cmp(b),
            (Item::Number(_), Some(_)) => Ordering::Greater,
            (_, Some(Item::Number(_))) => Ordering::Less,
            (Item::Word(a), Some(Item::Word(b))) => a.cmp(b),
            (Item::Word(a), Some(Item::Both(b, _))) => a.cmp(b).then(Ordering::Less),
            (Item::Both(a, _), Some(Item::Word(b))) => a.cmp(b).then(Ordering::Greater),
            (Item::Both(a, number), Some(Item::Both(b, other))) => a.cmp(b).then_with(|| number.cmp(other)),
            (Item::List(a), Some(Item::List(b))) => compare_lists(a, b),
            (Item::List(_), Some(_)) => Ordering::Greater,
            (_, Some(Item::List(_))) => Ordering::Less,
        }
    }
}

fn compare_lists(a: &[Item], b: &[Item]) -> Ordering {
    (0..a.len().max(b.len()))
        .map(|at| match (a.get(at), b.get(at)) {
            (Some(a), b) => a.compare(b),
            (None, Some(b)) => b.compare(None).reverse(),
            (None, None) => Ordering::Equal,
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// The lists that are open, outermost first.
struct Tree(Vec<Vec<Item>>);

impl Tree {
    fn add(&mut self, item: Item) {
        if let Some(list) = self.0.last_mut() {
            list.push(item);
        }
    }
    fn open(&mut self) {
        self.0.push(Vec::new());
    }
    /// A list inside an empty one would say nothing.
    fn open_unless_empty(&mut self) {
        if self.0.last().is_some_and(|list| !list.is_empty()) {
            self.open();
        }
    }
    fn close(mut self) -> Vec<Item> {
        let mut inner = normal(self.0.pop().unwrap_or_default());
        while let Some(mut outer) = self.0.pop() {
            outer.push(Item::List(inner));
            inner = normal(outer);
        }
        inner
    }
}

/// Takes out what says nothing at the end and before qualifiers.
fn normal(mut list: Vec<Item>) -> Vec<Item> {
    for at in (0..list.len()).rev() {
        if !list.get(at).is_some_and(Item::is_null) {
            continue;
        }
        let useless = match list.get(at + 1) {
            None | Some(Item::Word(_)) => true,
            Some(Item::List(next)) => matches!(next.first(), Some(Item::Word(_) | Item::Both(..))),
            Some(_) => false,
        };
        if useless {
            list.remove(at);
        }
    }
    list
}

pub fn read(text: &str) -> Option<Maven> {
    let text = text.trim().to_lowercase();
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let mut tree = Tree(vec![Vec::new()]);
    let (mut digits, mut both, mut start) = (false, false, 0);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    for (at, c) in text.char_indices() {
        match c {
            '.' => {
                let item = if at == start { Item::Number(Number::default()) } else { Item::leaf(part(start, at), both, digits) };
                tree.add(item);
                both = false;
                start = at + 1;
            }
            '-' => {
                let number_follows = text.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
                if at == start {
                    tree.add(Item::Number(Number::default()));
                } else if !digits && number_follows {
                    both = true;
                    continue;
                } else {
                    tree.add(Item::leaf(part(start, at), both, digits));
                }
                start = at + 1;
                tree.open_unless_empty();
                both = false;
            }
            '0'..='9' => {
                if !digits && at > start {
                    both = true;
                    tree.open_unless_empty();
                }
                digits = true;
            }
            _ => {
                if digits && at > start {
                    tree.add(Item::leaf(part(start, at), both, true));
                    start = at;
                    tree.open();
                    both = false;
                }
                digits = false;
            }
        }
    }
    if start < text.len() {
        if !digits {
            tree.open_unless_empty();
        }
        tree.add(Item::leaf(part(start, text.len()), both, digits));
    }
    Some(Maven(tree.close()))
}

impl Ord for Maven {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_lists(&self.0, &other.0)
    }
}

impl PartialOrd for Maven {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Maven {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Maven {}
