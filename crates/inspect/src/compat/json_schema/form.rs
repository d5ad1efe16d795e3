//! What a schema says about one value, as a formula over small assertions; equal formulas have equal numbers.
//!
//! An assertion about one type holds for values of every other type, as in JSON Schema. Nothing is decided here.

use super::decimal::Decimal;
use super::value::{Type, Value};
use std::collections::{BTreeSet, HashMap};

/// A formula's number.
pub type Id = u32;
/// A place (a subschema) by number.
pub type PlaceId = u32;

/// Sets of types, one bit each; whole numbers are a bit of their own below `NUMBER`.
pub mod types {
    pub const NULL: u8 = 1;
    pub const BOOL: u8 = 2;
    pub const NUMBER: u8 = 4;
    pub const TEXT: u8 = 8;
    pub const MAP: u8 = 16;
    pub const LIST: u8 = 32;
    /// Numbers, so far as they are whole.
    pub const WHOLE: u8 = 64;
}

impl Type {
    pub fn bit(self) -> u8 {
        match self {
            Type::Null => types::NULL,
            Type::Bool => types::BOOL,
            Type::Number => types::NUMBER,
            Type::Text => types::TEXT,
            Type::Map => types::MAP,
            Type::List => types::LIST,
        }
    }
}

/// Which members of a map are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Names {
    One(String),
    /// Names in which the pattern matches.
    Matching(String),
    /// All other names.
    Others {
        names: BTreeSet<String>,
        patterns: BTreeSet<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// All hold; of none: true.
    All(Vec<Id>),
    /// One holds at least; of none: false.
    Any(Vec<Id>),
    /// Exactly one holds.
    One(Vec<Id>),
    Not(Id),
    /// What the place says.
    Place(PlaceId),
    Types(u8),
    /// One of these; sorted.
    Among(Vec<Value>),
    /// The bound, and whether it is outside itself.
    AtLeast(Decimal, bool),
    AtMost(Decimal, bool),
    MultipleOf(Decimal),
    LengthAtLeast(u64),
    LengthAtMost(u64),
    Pattern(String),
    MembersAtLeast(u64),
    MembersAtMost(u64),
    Required(String),
    /// Every member so named is so.
    Members(Names, Id),
    /// Every name is so.
    NamesAre(Id),
    ItemsAtLeast(u64),
    ItemsAtMost(u64),
    /// Every item from the first place up to before the second is so.
    Items(u64, Option<u64>, Id),
    /// At least, at most so many items are so.
    SomeItems(u64, Id),
    FewItems(u64, Id),
    Different,
    /// Not decided, only equal to itself: of what types, in what words, and why.
    Dark(u8, String, &'static str),
}

impl Form {
    /// The types of which it says something; `None` where that depends on its parts.
    pub fn about(&self) -> Option<u8> {
        Some(match self {
            Form::AtLeast(..) | Form::AtMost(..) | Form::MultipleOf(_) => types::NUMBER,
            Form::LengthAtLeast(_) | Form::LengthAtMost(_) | Form::Pattern(_) => types::TEXT,
            Form::MembersAtLeast(_) | Form::MembersAtMost(_) | Form::Required(_) | Form::Members(..) | Form::NamesAre(_) => types::MAP,
            Form::ItemsAtLeast(_) | Form::ItemsAtMost(_) | Form::Items(..) => types::LIST,
            Form::SomeItems(..) | Form::FewItems(..) | Form::Different => types::LIST,
            Form::Dark(types, ..) => *types,
            _ => return None,
        })
    }
    pub fn children(&self) -> &[Id] {
        match self {
            Form::All(parts) | Form::Any(parts) | Form::One(parts) => parts,
            Form::Not(inner) | Form::Members(_, inner) | Form::NamesAre(inner) => std::slice::from_ref(inner),
            Form::Items(_, _, inner) | Form::SomeItems(_, inner) | Form::FewItems(_, inner) => std::slice::from_ref(inner),
            _ => &[],
        }
    }
    /// The same with other children.
    fn with(&self, children: Vec<Id>) -> Form {
        let first = children.first().copied().unwrap_or_default();
        match self {
            Form::All(_) => Form::All(children),
            Form::Any(_) => Form::Any(children),
            Form::One(_) => Form::One(children),
            Form::Not(_) => Form::Not(first),
            Form::Members(names, _) => Form::Members(names.clone(), first),
            Form::NamesAre(_) => Form::NamesAre(first),
            Form::Items(from, to, _) => Form::Items(*from, *to, first),
            Form::SomeItems(count, _) => Form::SomeItems(*count, first),
            Form::FewItems(count, _) => Form::FewItems(*count, first),
            other => other.clone(),
        }
    }
}

/// Formulas, each once.
#[derive(Debug, Default)]
pub struct Forms {
    list: Vec<Form>,
    numbers: HashMap<Form, Id>,
}

impl Forms {
    pub fn add(&mut self, form: Form) -> Id {
        if let Some(id) = self.numbers.get(&form) {
            return *id;
        }
        let id = self.list.len() as Id;
        self.list.push(form.clone());
        self.numbers.insert(form, id);
        id
    }
    pub fn get(&self, id: Id) -> &Form {
        const NOTHING: &Form = &Form::Any(Vec::new());
        self.list.get(id as usize).unwrap_or(NOTHING)
    }
    pub fn len(&self) -> usize {
        self.list.len()
    }
    pub fn truth(&mut self) -> Id {
        self.add(Form::All(Vec::new()))
    }
    pub fn all(&mut self, parts: Vec<Id>) -> Id {
        match parts.as_slice() {
            [only] => *only,
            _ => self.add(Form::All(parts)),
        }
    }
    pub fn any(&mut self, parts: Vec<Id>) -> Id {
        match parts.as_slice() {
            [only] => *only,
            _ => self.add(Form::Any(parts)),
        }
    }
    pub fn not(&mut self, inner: Id) -> Id {
        match self.get(inner) {
            Form::Not(inner) => *inner,
            _ => self.add(Form::Not(inner)),
        }
    }
}

/// Formulas in which places that say the same are one formula, with the numbers that the given ones have there.
///
/// Two places are the same where no unfolding tells them apart (bisimulation, by refining a partition until it is
/// stable), so a recursive schema equals its copy. `bodies` gives what each place says.
pub fn merged(forms: &Forms, bodies: &[Id], wanted: &[Id]) -> (Forms, Vec<Id>) {
    let flat = Flat::of(forms, bodies);
    let mut colours = vec![0u32; forms.len()];
    let mut count = 1;
    loop {
        let mut numbers: HashMap<(u32, Vec<u32>), u32> = HashMap::new();
        let mut next = Vec::with_capacity(colours.len());
        for shape in &flat.shapes {
            let mut children: Vec<u32> = shape.children.iter().filter_map(|child| colours.get(*child as usize).copied()).collect();
            if shape.set {
                children.sort_unstable();
                children.dedup();
            }
            let fresh = numbers.len() as u32;
            next.push(*numbers.entry((shape.label, children)).or_insert(fresh));
        }
        let stable = numbers.len() == count;
        count = numbers.len();
        colours = next;
        if stable {
            break;
        }
    }
    flat.rebuilt(forms, &colours, count, wanted)
}

/// What a formula is without its children, by number, and the children; conjunctions are flat and places are seen through.
struct Shape {
    label: u32,
    children: Vec<Id>,
    /// Order and repetition of the children mean nothing.
    set: bool,
    /// The formula from which the shape comes.
    like: Id,
}

struct Flat {
    shapes: Vec<Shape>,
}

impl Flat {
    fn of(forms: &Forms, bodies: &[Id]) -> Self {
        let mut labels: HashMap<Form, u32> = HashMap::new();
        let mut shapes = Vec::with_capacity(forms.len());
        for id in 0..forms.len() as Id {
            let parts = conjuncts(forms, bodies, id);
            let (like, children, label) = match parts.as_slice() {
                [only] => (*only, forms.get(*only).children().to_vec(), forms.get(*only).with(Vec::new())),
                _ => (id, parts.clone(), Form::All(Vec::new())),
            };
            let set = matches!(label, Form::All(_) | Form::Any(_));
            let fresh = labels.len() as u32;
            let label = *labels.entry(label).or_insert(fresh);
            shapes.push(Shape { label, children, set, like });
        }
        Self { shapes }
    }

    fn rebuilt(&self, forms: &Forms, colours: &[u32], count: usize, wanted: &[Id]) -> (Forms, Vec<Id>) {
        // Colours are numbers of the new formulas: each is made from any one formula of its colour.
        let mut list: Vec<Option<Form>> = vec![None; count];
        for (shape, colour) in self.shapes.iter().zip(colours) {
            let Some(place @ None) = list.get_mut(*colour as usize) else { continue };
            let mut children: Vec<Id> = shape.children.iter().filter_map(|child| colours.get(*child as usize).copied()).collect();
            if shape.set {
                children.sort_unstable();
                children.dedup();
            }
            let like = forms.get(shape.like);
            *place = Some(match like {
                Form::Place(_) => Form::All(children),
                Form::All(_) => Form::All(children),
                other => other.with(children),
            });
        }
        let list: Vec<Form> = list.into_iter().map(|form| form.unwrap_or(Form::Any(Vec::new()))).collect();
        let numbers = list.iter().enumerate().map(|(id, form)| (form.clone(), id as Id)).collect();
        let wanted = wanted.iter().filter_map(|id| colours.get(*id as usize).copied()).collect();
        (Forms { list, numbers }, wanted)
    }
}

/// The parts of a conjunction, through places and nested conjunctions. Places that lead back to themselves without a
/// value between are refused before; should one come all the same, it is met once.
fn conjuncts(forms: &Forms, bodies: &[Id], id: Id) -> Vec<Id> {
    let (mut open, mut seen, mut parts) = (vec![id], BTreeSet::new(), Vec::new());
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        match forms.get(id) {
            Form::All(children) => open.extend(children.iter().rev()),
            Form::Place(place) => open.extend(bodies.get(*place as usize)),
            _ => parts.push(id),
        }
    }
    parts
}
