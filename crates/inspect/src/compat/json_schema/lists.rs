//! Lists of which given assertions hold.
//!
//! Items from some place on are all alike to a schema, so a list that is longer than its least length, its special places
//! and what has to exist in it can be cut without harm: lengths up to that sum are tried, which is complete.

use super::eval::Why;
use super::form::{Form, Id};
use super::solve::{Doubts, Literal, Outcome, Solver};
use super::value::Value;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Lists longer than this are not made up where items have to differ or to be counted.
const COUNTED_MAX: u64 = 40;
/// Lists longer than this are not made up.
const WRITTEN_MAX: u64 = 20_000;

/// Something that has to be among the items from one place up to before another; needs of one group are other items.
#[derive(Clone)]
struct Need {
    from: u64,
    to: Option<u64>,
    literal: Literal,
    group: usize,
}

#[derive(Default)]
struct Wanted {
    least: u64,
    most: Option<u64>,
    every: Vec<(u64, Option<u64>, Literal)>,
    needs: Vec<Need>,
    /// At most so many items are so.
    few: Vec<(u64, Literal)>,
    /// All items differ.
    different: bool,
    /// Two items are equal.
    same: bool,
}

impl Wanted {
    fn of(solver: &Solver, atoms: &BTreeSet<Literal>) -> Result<Self, Outcome> {
        let mut wanted = Wanted::default();
        let mut group = 0;
        for literal in atoms {
            let positive = literal.positive();
            match solver.forms.get(literal.form()) {
                Form::ItemsAtLeast(count) if positive => wanted.least = wanted.least.max(*count),
                Form::ItemsAtLeast(0) => return Err(Outcome::Empty),
                Form::ItemsAtLeast(count) => wanted.at_most(count - 1),
                Form::ItemsAtMost(count) if positive => wanted.at_most(*count),
                Form::ItemsAtMost(count) => wanted.least = wanted.least.max(count + 1),
                Form::Items(from, to, inner) if positive => wanted.every.push((*from, *to, Literal::new(*inner, true))),
                Form::Items(from, to, inner) => {
                    group += 1;
                    wanted.needs.push(Need { from: *from, to: *to, literal: Literal::new(*inner, false), group });
                }
                Form::SomeItems(count, inner) | Form::FewItems(count, inner) => {
                    group += 1;
                    let some = matches!(solver.forms.get(literal.form()), Form::SomeItems(..));
                    wanted.counted(some, positive, *count, *inner, group)?;
                }
                Form::Different if positive => wanted.different = true,
                Form::Different => wanted.same = true,
                _ => {}
            }
        }
        let contrary = wanted.different && wanted.same || wanted.most.is_some_and(|most| most < wanted.least);
        if contrary { Err(Outcome::Empty) } else { Ok(wanted) }
    }

    /// "At least" and "at most so many items", as they are or negated.
    fn counted(&mut self, some: bool, positive: bool, count: u64, inner: Id, group: usize) -> Result<(), Outcome> {
        let inner = Literal::new(inner, true);
        let (least, most) = match (some, positive) {
            (true, true) => (Some(count), None),
            (true, false) => (None, Some(count.checked_sub(1).ok_or(Outcome::Empty)?)),
            (false, true) => (None, Some(count)),
            (false, false) => (Some(count + 1), None),
        };
        match most {
            Some(0) => self.every.push((0, None, inner.not())),
            Some(most) => self.few.push((most, inner)),
            None => {}
        }
        let least = least.unwrap_or(0);
        if least > COUNTED_MAX {
            return Err(too_long());
        }
        self.needs.extend((0..least).map(|_| Need { from: 0, to: None, literal: inner, group }));
        Ok(())
    }
    fn at_most(&mut self, count: u64) {
        self.most = Some(self.most.map_or(count, |most| most.min(count)));
    }
    /// From here on all items are alike.
    fn tail(&self) -> u64 {
        let ends = self.every.iter().map(|(from, to, _)| (*from, *to)).chain(self.needs.iter().map(|need| (need.from, need.to)));
        ends.map(|(from, to)| to.unwrap_or(from)).max().unwrap_or(0)
    }
    fn at(&self, place: u64) -> Vec<Literal> {
        let meant = self.every.iter().filter(|(from, to, _)| *from <= place && to.is_none_or(|to| place < to));
        let mut literals: Vec<Literal> = meant.map(|(_, _, literal)| *literal).collect();
        literals.sort_unstable();
        literals.dedup();
        literals
    }
}

fn too_long() -> Outcome {
    Outcome::Unclear(vec![Why { word: "undecided-effort", about: "the list would have to be too long".to_owned() }])
}

/// A list in the making: what each item has to be, and the groups of needs that it serves.
type Draft = Vec<(Vec<Literal>, BTreeSet<usize>)>;

impl Solver<'_> {
    pub(super) fn list_cell(&mut self, atoms: &BTreeSet<Literal>) -> Outcome {
        let mut wanted = match Wanted::of(self, atoms) {
            Ok(wanted) => wanted,
            Err(outcome) => return outcome,
        };
        let mut doubts = Doubts::default();
        for need in wanted.needs.clone() {
            let mut question = vec![need.literal];
            let all_there =
                wanted.every.iter().filter(|(from, to, _)| *from <= need.from && to.is_none_or(|to| need.to.is_some_and(|end| end <= to)));
            question.extend(all_there.map(|(_, _, literal)| *literal));
            if self.solve(question) == Outcome::Empty {
                return Outcome::Empty;
            }
        }
        let tail = wanted.tail();
        if tail > WRITTEN_MAX {
            return too_long();
        }
        for place in 0..=tail {
            let place = place.min(tail);
            match self.solve(wanted.at(place)) {
                Outcome::Empty => {
                    wanted.at_most(place);
                    break;
                }
                Outcome::Unclear(whys) if place < wanted.least => doubts.add(whys),
                _ => {}
            }
        }
        let longest = wanted.least.max(tail + wanted.needs.len() as u64 + 2 * u64::from(wanted.same));
        let longest = wanted.most.map_or(longest, |most| most.min(longest));
        let counting = wanted.different || wanted.same || !wanted.few.is_empty();
        let allowed = if counting { COUNTED_MAX } else { WRITTEN_MAX / (1 + wanted.needs.len() as u64) };
        if longest > allowed {
            return too_long();
        }
        for length in wanted.least..=longest {
            let draft: Draft = (0..length).map(|place| (wanted.at(place), BTreeSet::new())).collect();
            if let Some(value) = self.need_placed(&wanted, &mut doubts, 0, tail, &draft) {
                return Outcome::Found(value);
            }
            if !self.spend(1) {
                doubts.say("undecided-effort", "too many steps");
                break;
            }
        }
        doubts.end()
    }

    fn may_be_item(&mut self, doubts: &mut Doubts, literals: &[Literal]) -> bool {
        match self.solve(literals.to_vec()) {
            Outcome::Found(_) => true,
            Outcome::Empty => false,
            Outcome::Unclear(whys) => {
                doubts.add(whys);
                false
            }
        }
    }

    fn need_placed(&mut self, wanted: &Wanted, doubts: &mut Doubts, from: usize, tail: u64, draft: &Draft) -> Option<Rc<Value>> {
        if !self.spend(1) {
            doubts.say("undecided-effort", "too many steps");
            return None;
        }
        let Some(need) = wanted.needs.get(from) else {
            return if wanted.same {
                self.pair_chosen(wanted, doubts, draft)
            } else {
                self.counted(wanted, doubts, 0, &mut Vec::new(), draft, &[])
            };
        };
        let end = need.to.map_or(draft.len(), |to| (to as usize).min(draft.len()));
        let mut fresh_tried = false;
        for place in need.from as usize..end {
            let Some((literals, groups)) = draft.get(place) else { continue };
            if groups.contains(&need.group) {
                continue;
            }
            // Items behind the tail that serve nothing yet are alike.
            if place as u64 >= tail && groups.is_empty() && std::mem::replace(&mut fresh_tried, true) {
                continue;
            }
            let literals = [literals.as_slice(), &[need.literal]].concat();
            if !self.may_be_item(doubts, &literals) {
                continue;
            }
            let mut next = draft.clone();
            if let Some(item) = next.get_mut(place) {
                item.0 = literals;
                item.1.insert(need.group);
            }
            if let Some(value) = self.need_placed(wanted, doubts, from + 1, tail, &next) {
                return Some(value);
            }
        }
        None
    }

    /// Two items that are to be equal.
    fn pair_chosen(&mut self, wanted: &Wanted, doubts: &mut Doubts, draft: &Draft) -> Option<Rc<Value>> {
        for second in 1..draft.len() {
            for first in 0..second {
                let (Some(one), Some(other)) = (draft.get(first), draft.get(second)) else { continue };
                let both = [one.0.as_slice(), &other.0].concat();
                if !self.may_be_item(doubts, &both) {
                    continue;
                }
                let mut next = draft.clone();
                for place in [first, second] {
                    if let Some(item) = next.get_mut(place) {
                        item.0.clone_from(&both);
                    }
                }
                if let Some(value) = self.counted(wanted, doubts, 0, &mut Vec::new(), &next, &[first, second]) {
                    return Some(value);
                }
            }
        }
        None
    }

    /// Decides of every item which of the counted formulas hold; `used` are the counts so far, `pair` stays equal.
    fn counted(
        &mut self,
        wanted: &Wanted,
        doubts: &mut Doubts,
        place: usize,
        used: &mut Vec<u64>,
        draft: &Draft,
        pair: &[usize],
    ) -> Option<Rc<Value>> {
        used.resize(wanted.few.len(), 0);
        if place >= draft.len() || wanted.few.is_empty() {
            return self.written(wanted, doubts, draft, pair);
        }
        if wanted.few.len() > 4 {
            doubts.say("undecided-effort", "too many counts of items");
            return None;
        }
        for signs in 0u32..1 << wanted.few.len() {
            if !self.spend(1) {
                doubts.say("undecided-effort", "too many steps");
                return None;
            }
            let mut literals = draft.get(place).map(|item| item.0.clone()).unwrap_or_default();
            let mut counts = used.clone();
            for (number, (_, literal)) in wanted.few.iter().enumerate() {
                let so = signs >> number & 1 == 1;
                literals.push(if so { *literal } else { literal.not() });
                if let Some(count) = counts.get_mut(number) {
                    *count += u64::from(so);
                }
            }
            let too_many = counts.iter().zip(&wanted.few).any(|(count, (most, _))| count > most);
            if too_many || !self.may_be_item(doubts, &literals) {
                continue;
            }
            let mut next = draft.clone();
            if let Some(item) = next.get_mut(place) {
                item.0 = literals.clone();
            }
            // The other of an equal pair is so, too.
            if let [first, second] = pair
                && *first == place
                && let Some(item) = next.get_mut(*second)
            {
                item.0 = literals;
            }
            if let Some(value) = self.counted(wanted, doubts, place + 1, &mut counts, &next, pair) {
                return Some(value);
            }
            // With one count only, an item that can do without never needs to use it up.
            if wanted.few.len() == 1 && !wanted.different && pair.is_empty() {
                return None;
            }
        }
        None
    }

    fn written(&mut self, wanted: &Wanted, doubts: &mut Doubts, draft: &Draft, pair: &[usize]) -> Option<Rc<Value>> {
        if wanted.different {
            return self.all_different(doubts, draft);
        }
        let mut items = Vec::new();
        for (literals, _) in draft {
            match self.solve(literals.clone()) {
                Outcome::Found(value) => items.push((*value).clone()),
                Outcome::Empty => return None,
                Outcome::Unclear(whys) => {
                    doubts.add(whys);
                    return None;
                }
            }
        }
        if let [first, second] = pair
            && let Some(value) = items.get(*first).cloned()
            && let Some(place) = items.get_mut(*second)
        {
            *place = value;
        }
        Some(Rc::new(Value::List(items)))
    }

    /// Different values for all items: as many candidates each as there are items, matched by augmenting paths.
    fn all_different(&mut self, doubts: &mut Doubts, draft: &Draft) -> Option<Rc<Value>> {
        let mut candidates: Vec<Vec<Value>> = Vec::new();
        for (literals, _) in draft {
            candidates.push(self.several(doubts, literals, draft.len()));
        }
        let mut values: Vec<Value> = candidates.iter().flatten().cloned().collect();
        values.sort_unstable();
        values.dedup();
        let edges: Vec<Vec<usize>> =
            candidates.iter().map(|list| list.iter().filter_map(|value| values.binary_search(value).ok()).collect()).collect();
        let mut taken_by: Vec<Option<usize>> = vec![None; values.len()];
        for item in 0..draft.len() {
            if !augmented(item, &edges, &mut taken_by, &mut vec![false; values.len()]) {
                return None;
            }
        }
        let mut items: Vec<Value> = vec![Value::Null; draft.len()];
        for (value, item) in values.into_iter().zip(taken_by) {
            if let Some(place) = item.and_then(|item| items.get_mut(item)) {
                *place = value;
            }
        }
        Some(Rc::new(Value::List(items)))
    }

    /// Up to so many different values.
    fn several(&mut self, doubts: &mut Doubts, literals: &[Literal], count: usize) -> Vec<Value> {
        let mut values: Vec<Value> = Vec::new();
        while values.len() < count {
            let taken = self.forms.add(Form::Among(values.clone()));
            match self.solve([literals, &[Literal::new(taken, false)]].concat()) {
                Outcome::Found(value) => {
                    values.push((*value).clone());
                    values.sort_unstable();
                }
                Outcome::Empty => break,
                Outcome::Unclear(whys) => {
                    doubts.add(whys);
                    break;
                }
            }
        }
        values
    }
}

/// Finds a value for the item, moving others where that helps.
fn augmented(item: usize, edges: &[Vec<usize>], taken_by: &mut Vec<Option<usize>>, tried: &mut Vec<bool>) -> bool {
    for value in edges.get(item).into_iter().flatten() {
        if tried.get(*value) != Some(&false) {
            continue;
        }
        if let Some(tried) = tried.get_mut(*value) {
            *tried = true;
        }
        let holder = taken_by.get(*value).copied().flatten();
        if holder.is_none_or(|holder| augmented(holder, edges, taken_by, tried)) {
            if let Some(place) = taken_by.get_mut(*value) {
                *place = Some(item);
            }
            return true;
        }
    }
    false
}
