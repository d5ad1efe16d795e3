//! What is known of the schema while the files are read in order: what they made, and what they said about it.
//!
//! A table that the files do not make was there before; of its columns only that is known which the files say.

use super::statement::{Action, Column, Constraint, ConstraintKind, CreateTable, Generated, What};
use super::tree::Name;
use super::types::{self, SqlType};
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Debug, Clone, Default)]
pub struct Catalog {
    tables: HashMap<Name, Table>,
    indexes: HashMap<Name, Index>,
    types: HashMap<Name, Type>,
    /// Materialized views and what they read.
    materialized: BTreeMap<Name, Vec<Name>>,
    /// Tables that ever had a foreign key to one: looked at again when asked.
    pointing: HashMap<Name, BTreeSet<Name>>,
}

#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The transaction that made it; `None`: it was there before.
    pub made: Option<u32>,
    pub temporary: bool,
    pub columns: HashMap<Name, KnownColumn>,
    pub constraints: BTreeMap<Name, TableConstraint>,
    pub partition_of: Option<Name>,
    pub partition_by: Option<Vec<Name>>,
    pub default_partition: Option<Name>,
    pub logged: Option<bool>,
    /// Names of its indexes, as they were made or renamed.
    indexes: BTreeSet<Name>,
}

#[derive(Debug, Clone, Default)]
pub struct KnownColumn {
    pub ty: Option<SqlType>,
    pub not_null: bool,
    pub generated: Option<Generated>,
    /// Whether these files added it.
    pub added: bool,
}

#[derive(Debug, Clone)]
pub struct TableConstraint {
    pub constraint: Constraint,
    pub valid: bool,
    /// The transaction that added it.
    pub added: u32,
}

impl TableConstraint {
    pub fn target(&self) -> Option<&Name> {
        self.constraint.target()
    }
}

#[derive(Debug, Clone)]
pub struct Index {
    pub table: Name,
    pub columns: Vec<Name>,
    pub unique: bool,
}

#[derive(Debug, Clone)]
pub struct Type {
    pub made: u32,
    /// The type under a domain.
    pub base: Option<SqlType>,
    pub constrained: bool,
}

impl Catalog {
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }
    /// Whether these files made the table (or the materialized view).
    pub fn made_here(&self, name: &str) -> bool {
        self.tables.get(name).is_some_and(|table| table.made.is_some())
    }
    /// Whether nobody else can see the table yet.
    pub fn made_in(&self, name: &str, transaction: u32) -> bool {
        self.tables.get(name).is_some_and(|table| table.temporary || table.made == Some(transaction))
    }
    pub fn column_added(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).and_then(|table| table.columns.get(column)).is_some_and(|column| column.added)
    }
    pub fn column_type(&self, table: &str, column: &str) -> Option<&SqlType> {
        self.tables.get(table)?.columns.get(column)?.ty.as_ref()
    }
    pub fn is_virtual(&self, table: &str, column: &str) -> bool {
        let column = self.tables.get(table).and_then(|table| table.columns.get(column));
        column.is_some_and(|column| column.generated == Some(Generated::Virtual))
    }
    pub fn is_logged(&self, table: &str) -> Option<bool> {
        self.tables.get(table)?.logged
    }
    /// A domain's base type; other types are their own.
    pub fn base_of(&self, ty: Option<&SqlType>) -> Option<SqlType> {
        let ty = ty?;
        let domain = self.types.get(&ty.base).and_then(|known| known.base.clone());
        Some(domain.filter(|_| !ty.array).unwrap_or_else(|| ty.clone()))
    }
    /// Whether the type is a domain with constraints.
    pub fn is_constrained(&self, ty: &SqlType) -> bool {
        self.types.get(&ty.base).is_some_and(|known| known.constrained)
    }
    pub fn type_named(&self, name: &str) -> Option<&Type> {
        self.types.get(name)
    }
    pub fn constraint(&self, table: &str, name: &str) -> Option<&TableConstraint> {
        self.tables.get(table)?.constraints.get(name)
    }
    /// Whether SET NOT NULL needs no look at the rows: the column is NOT NULL, or a valid CHECK says so (since 12).
    pub fn proves_not_null(&self, table: &str, column: &str) -> bool {
        let Some(table) = self.tables.get(table) else { return false };
        table.columns.get(column).is_some_and(|column| column.not_null)
            || table.constraints.values().any(|known| {
                let says = match &known.constraint.kind {
                    ConstraintKind::Check { not_null, .. } => not_null.iter().any(|name| name == column),
                    ConstraintKind::NotNull => known.constraint.columns.iter().any(|name| name == column),
                    _ => false,
                };
                known.valid && says
            })
    }
    /// Whether the partition has a valid CHECK over the partition key, which may make a look at its rows needless.
    pub fn may_prove_bounds(&self, parent: &str, partition: &str) -> bool {
        let key = self.tables.get(parent).and_then(|table| table.partition_by.as_ref());
        let Some(table) = self.tables.get(partition) else { return false };
        table.constraints.values().any(|known| match &known.constraint.kind {
            ConstraintKind::Check { columns, .. } => {
                known.valid && key.is_none_or(|key| !key.is_empty() && key.iter().all(|column| columns.contains(column)))
            }
            _ => false,
        })
    }
    pub fn default_partition(&self, parent: &str) -> Option<Name> {
        self.tables.get(parent)?.default_partition.clone()
    }
    pub fn parent_of(&self, table: &str) -> Option<Name> {
        self.tables.get(table)?.partition_of.clone()
    }
    /// Tables that `table`'s foreign keys point at.
    pub fn targets_of(&self, table: &str) -> Vec<Name> {
        let constraints = self.tables.get(table).map(|table| table.constraints.values());
        constraints.into_iter().flatten().filter_map(TableConstraint::target).filter(|target| *target != table).cloned().collect()
    }
    /// Tables that foreign keys over that column point at.
    pub fn targets_through(&self, table: &str, column: &str) -> Vec<Name> {
        let constraints = self.tables.get(table).map(|table| table.constraints.values());
        let over = constraints.into_iter().flatten().filter(|known| known.constraint.columns.iter().any(|name| name == column));
        over.filter_map(TableConstraint::target).cloned().collect()
    }
    /// Tables with a foreign key to `target`.
    pub fn referencing(&self, target: &str) -> Vec<Name> {
        let points = |name: &Name| {
            let constraints = self.tables.get(name).map(|table| table.constraints.values());
            constraints.into_iter().flatten().any(|known| known.target().is_some_and(|to| to == target))
        };
        self.pointing.get(target).into_iter().flatten().filter(|name| *name != target && points(name)).cloned().collect()
    }
    pub fn materialized_over(&self, table: &str) -> Vec<Name> {
        self.materialized.iter().filter(|(_, reads)| reads.iter().any(|read| read == table)).map(|(name, _)| name.clone()).collect()
    }
    pub fn reads_of(&self, view: &str) -> Vec<Name> {
        self.materialized.get(view).cloned().unwrap_or_default()
    }
    pub fn index(&self, name: &str) -> Option<&Index> {
        self.indexes.get(name)
    }
    pub fn index_columns(&self, name: &str) -> Option<&Vec<Name>> {
        self.indexes.get(name).map(|index| &index.columns)
    }
    /// The table of an index; in words where the files do not say.
    pub fn table_of(&self, index: &str) -> Name {
        self.indexes.get(index).map_or_else(|| format!("the table of {index}"), |index| index.table.clone())
    }
    /// Whether an index is known that begins with these columns.
    pub fn has_index_on(&self, table: &str, columns: &[Name]) -> bool {
        let begins = |known: &[Name]| known.len() >= columns.len() && columns.iter().all(|column| known[..columns.len()].contains(column));
        let keys = self.tables.get(table).map(|table| table.constraints.values());
        let by_key = keys.into_iter().flatten().any(|known| {
            matches!(known.constraint.kind, ConstraintKind::Primary { .. } | ConstraintKind::Unique { .. })
                && begins(&known.constraint.columns)
        });
        by_key || self.indexes_of(table).any(|index| begins(&index.columns))
    }
    /// Whether a unique index over columns is known (what REFRESH … CONCURRENTLY needs).
    pub fn has_unique_index(&self, table: &str) -> bool {
        self.indexes_of(table).any(|index| index.unique && !index.columns.is_empty())
    }
    fn indexes_of(&self, table: &str) -> impl Iterator<Item = &Index> {
        self.tables.get(table).into_iter().flat_map(|table| &table.indexes).filter_map(|name| self.indexes.get(name))
    }
    /// Tables with a column of that type.
    pub fn tables_with_type(&self, name: &str) -> Vec<Name> {
        let uses = |table: &Table| table.columns.values().any(|column| column.ty.as_ref().is_some_and(|ty| types::means(ty, name)));
        let mut names: Vec<Name> = self.tables.iter().filter(|(_, table)| uses(table)).map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// Learns what the statement did, in that transaction.
    pub fn apply(&mut self, what: &What, transaction: u32) {
        match what {
            What::CreateTable(create) => self.create(create, transaction),
            What::CreateTableAs { table, .. } => {
                self.tables.insert(table.clone(), Table { made: Some(transaction), logged: Some(true), ..Table::default() });
            }
            What::AlterTable { table, actions } => {
                for action in actions {
                    self.alter(table, action, transaction);
                }
            }
            What::DropTable { tables, .. } => {
                for table in tables {
                    for index in self.tables.remove(table).into_iter().flat_map(|table| table.indexes) {
                        self.indexes.remove(&index);
                    }
                }
            }
            What::CreateIndex(index) => {
                let name = index.index.clone().unwrap_or_else(|| format!("{}_{}_idx", index.table, index.columns.join("_")));
                let columns = if index.plain { index.columns.clone() } else { Vec::new() };
                self.entry(&index.table).indexes.insert(name.clone());
                self.indexes.insert(name, Index { table: index.table.clone(), columns, unique: index.unique });
            }
            What::DropIndex { indexes, .. } => {
                for index in indexes {
                    if let Some(known) = self.indexes.remove(index) {
                        self.entry(&known.table).indexes.remove(index);
                    }
                }
            }
            What::AlterIndex { index, rename: Some(to) } => {
                if let Some(known) = self.indexes.remove(index) {
                    let names = &mut self.entry(&known.table).indexes;
                    names.remove(index);
                    names.insert(to.clone());
                    self.indexes.insert(to.clone(), known);
                }
            }
            What::CreateView { view, reads, materialized: true, .. } => {
                self.materialized.insert(view.clone(), reads.clone());
                self.tables.insert(view.clone(), Table { made: Some(transaction), ..Table::default() });
            }
            What::DropView { views, materialized: true, .. } => {
                for view in views {
                    self.materialized.remove(view);
                    self.tables.remove(view);
                }
            }
            What::CreateEnum { name, .. } => {
                self.types.insert(name.clone(), Type { made: transaction, base: None, constrained: false });
            }
            What::CreateDomain { name, base, constrained } => {
                let known = Type { made: transaction, base: Some(base.clone()), constrained: *constrained };
                self.types.insert(name.clone(), known);
            }
            What::AlterDomain { name, adds: true, .. } => {
                if let Some(known) = self.types.get_mut(name) {
                    known.constrained = true;
                }
            }
            What::DropType { names, .. } => names.iter().for_each(|name| _ = self.types.remove(name)),
            _ => {}
        }
    }

    fn create(&mut self, create: &CreateTable, transaction: u32) {
        // IF NOT EXISTS over a table that is known changes nothing.
        if create.if_not_exists && self.tables.contains_key(&create.table) {
            return;
        }
        let mut table = Table {
            made: Some(transaction),
            temporary: create.temporary,
            logged: Some(!create.unlogged),
            partition_of: create.partition_of.clone(),
            partition_by: create.partition_by.clone(),
            ..Table::default()
        };
        for like in create.likes.iter().chain(&create.inherits).chain(&create.partition_of) {
            if let Some(known) = self.tables.get(like) {
                table.columns.extend(known.columns.iter().map(|(name, column)| (name.clone(), column.clone())));
            }
        }
        self.tables.insert(create.table.clone(), table);
        for column in &create.columns {
            self.add_column(&create.table, column, transaction, true);
        }
        for constraint in &create.constraints {
            self.add_constraint(&create.table, constraint, transaction, true);
        }
    }

    fn entry(&mut self, table: &str) -> &mut Table {
        self.tables.entry(table.to_owned()).or_default()
    }

    fn add_column(&mut self, table: &str, column: &Column, transaction: u32, fresh: bool) {
        let known = KnownColumn { ty: Some(column.ty.stored()), not_null: column.not_null, generated: column.generated, added: true };
        self.entry(table).columns.insert(column.name.clone(), known);
        for constraint in &column.constraints {
            self.add_constraint(table, constraint, transaction, fresh);
        }
    }

    /// `fresh`: with the table itself, whose lack of rows makes NOT VALID mean nothing.
    fn add_constraint(&mut self, table: &str, constraint: &Constraint, transaction: u32, fresh: bool) {
        let mut constraint = constraint.clone();
        let using = match &constraint.kind {
            ConstraintKind::Unique { index } | ConstraintKind::Primary { index } => index.clone(),
            _ => None,
        };
        if let Some(index) = &using
            && let Some(known) = self.indexes.get(index)
        {
            constraint.columns = known.columns.clone();
        }
        let name = constraint.name.clone().or(using).unwrap_or_else(|| default_name(table, &constraint));
        let valid = (fresh || !constraint.not_valid) && !constraint.not_enforced;
        let known = self.entry(table);
        let now_set = match constraint.kind {
            ConstraintKind::Primary { .. } => true,
            ConstraintKind::NotNull => valid,
            _ => false,
        };
        if now_set {
            for column in &constraint.columns {
                known.columns.entry(column.clone()).or_default().not_null = true;
            }
        }
        let target = constraint.target().cloned();
        known.constraints.insert(name, TableConstraint { constraint, valid, added: transaction });
        if let Some(target) = target {
            self.pointing.entry(target).or_default().insert(table.to_owned());
        }
    }

    fn alter(&mut self, table: &str, action: &Action, transaction: u32) {
        match action {
            Action::AddColumn(column) => self.add_column(table, column, transaction, false),
            Action::DropColumn { column, .. } => {
                let known = self.entry(table);
                known.columns.remove(column);
                known.constraints.retain(|_, known| !known.constraint.columns.contains(column));
            }
            Action::SetNotNull { column } => self.entry(table).columns.entry(column.clone()).or_default().not_null = true,
            Action::DropNotNull { column } => self.entry(table).columns.entry(column.clone()).or_default().not_null = false,
            Action::SetType { column, to, .. } => self.entry(table).columns.entry(column.clone()).or_default().ty = Some(to.clone()),
            Action::AddConstraint(constraint) => self.add_constraint(table, constraint, transaction, false),
            Action::Validate { constraint } => {
                if let Some(known) = self.entry(table).constraints.get_mut(constraint) {
                    known.valid = true;
                }
            }
            Action::DropConstraint { constraint, .. } => _ = self.entry(table).constraints.remove(constraint),
            Action::RenameTable { to } => self.rename(table, to),
            Action::SetSchema { schema } => {
                let to =
                    if schema == "public" { super::tree::bare(table).to_owned() } else { format!("{schema}.{}", super::tree::bare(table)) };
                self.rename(table, &to);
            }
            Action::RenameColumn { column, to } => {
                let known = self.entry(table);
                if let Some(column) = known.columns.remove(column) {
                    known.columns.insert(to.clone(), column);
                }
                for known in known.constraints.values_mut() {
                    rename_in(&mut known.constraint, column, to);
                }
                for index in known.indexes.clone() {
                    if let Some(index) = self.indexes.get_mut(&index) {
                        index.columns.iter_mut().filter(|name| *name == column).for_each(|name| *name = to.clone());
                    }
                }
            }
            Action::RenameConstraint { from, to } => {
                let known = self.entry(table);
                if let Some(constraint) = known.constraints.remove(from) {
                    known.constraints.insert(to.clone(), constraint);
                }
            }
            Action::SetLogged { logged } => self.entry(table).logged = Some(*logged),
            Action::Attach { partition, default, .. } => {
                if *default {
                    self.entry(table).default_partition = Some(partition.clone());
                }
                self.entry(partition).partition_of = Some(table.to_owned());
            }
            Action::Detach { partition, .. } => self.entry(partition).partition_of = None,
            _ => {}
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        // A rename keeps the schema.
        let to = match (from.rsplit_once('.'), to.contains('.')) {
            (Some((schema, _)), false) if !from.ends_with('"') => format!("{schema}.{to}"),
            _ => to.to_owned(),
        };
        if let Some(table) = self.tables.remove(from) {
            for index in &table.indexes {
                if let Some(index) = self.indexes.get_mut(index) {
                    index.table = to.clone();
                }
            }
            for target in table.constraints.values().filter_map(TableConstraint::target) {
                self.pointing.entry(target.clone()).or_default().insert(to.clone());
            }
            self.tables.insert(to.clone(), table);
            let pointing = self.pointing.remove(from).unwrap_or_default();
            for name in &pointing {
                for known in self.tables.get_mut(name).into_iter().flat_map(|table| table.constraints.values_mut()) {
                    if let ConstraintKind::Foreign { target, .. } = &mut known.constraint.kind
                        && target == from
                    {
                        *target = to.clone();
                    }
                }
            }
            self.pointing.entry(to.clone()).or_default().extend(pointing);
        }
    }
}

fn rename_in(constraint: &mut Constraint, from: &str, to: &str) {
    let mut lists = vec![&mut constraint.columns];
    if let ConstraintKind::Check { not_null, columns, .. } = &mut constraint.kind {
        lists.push(not_null);
        lists.push(columns);
    }
    for list in lists {
        list.iter_mut().filter(|name| *name == from).for_each(|name| *name = to.to_owned());
    }
}

/// The name that PostgreSQL gives a constraint without one (`ChooseConstraintName`), for the usual lengths.
pub fn default_name(table: &str, constraint: &Constraint) -> Name {
    let table = super::short(table);
    let columns = constraint.columns.iter().map(|column| super::short(column)).collect::<Vec<_>>().join("_");
    let column = constraint.columns.first().map(String::as_str).unwrap_or_default();
    match &constraint.kind {
        ConstraintKind::Primary { .. } => format!("{table}_pkey"),
        ConstraintKind::Unique { .. } => format!("{table}_{columns}_key"),
        ConstraintKind::Foreign { .. } => format!("{table}_{columns}_fkey"),
        ConstraintKind::Exclude => format!("{table}_{columns}_excl"),
        ConstraintKind::NotNull => format!("{table}_{column}_not_null"),
        ConstraintKind::Check { columns, .. } => match columns.as_slice() {
            [one] => format!("{table}_{one}_check"),
            _ if column.is_empty() => format!("{table}_check"),
            _ => format!("{table}_{column}_check"),
        },
    }
}
