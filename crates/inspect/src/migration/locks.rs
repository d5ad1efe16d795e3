//! Which locks PostgreSQL takes for a statement, on which tables, and whether it reads or writes every row under them.
//!
//! Sources: "Explicit Locking" (13.3) and the pages of ALTER TABLE, CREATE INDEX, … in PostgreSQL's documentation, and
//! `AlterTableGetLockLevel` for what the pages leave out. Each form was tried on real servers of version 13 to 18; the
//! results are `tests/migration/measured.json`, and a test holds this file to them.
//!
//! Locks on indexes, sequences, TOAST tables and catalogs are left out: nobody waits for them who does not wait for the
//! table. So are locks that triggers and foreign keys take while rows change.

use super::catalog::{Catalog, TableConstraint};
use super::statement::{Action, Change, Column, Constraint, ConstraintKind, CreateTable, Dml, Generated, ReindexTarget, What};
use super::tree::Name;
use super::types::{self, change};
use serde::Serialize;

/// A table lock, weakest first (13.3.1, table 13.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl Mode {
    const ALL: [(Mode, &'static str, &'static str); 8] = [
        (Mode::AccessShare, "ACCESS SHARE", "blocks neither reads nor writes"),
        (Mode::RowShare, "ROW SHARE", "blocks neither reads nor writes"),
        (Mode::RowExclusive, "ROW EXCLUSIVE", "blocks neither reads nor writes"),
        (Mode::ShareUpdateExclusive, "SHARE UPDATE EXCLUSIVE", "blocks neither reads nor writes, but VACUUM and other changes of schema"),
        (Mode::Share, "SHARE", "blocks writes"),
        (Mode::ShareRowExclusive, "SHARE ROW EXCLUSIVE", "blocks writes"),
        (Mode::Exclusive, "EXCLUSIVE", "blocks writes and SELECT … FOR UPDATE"),
        (Mode::AccessExclusive, "ACCESS EXCLUSIVE", "blocks reads and writes"),
    ];
    pub fn words(self) -> &'static str {
        Self::ALL.iter().find(|(mode, ..)| *mode == self).map_or("", |(_, words, _)| words)
    }
    /// Whom it makes wait.
    pub fn blocks(self) -> &'static str {
        Self::ALL.iter().find(|(mode, ..)| *mode == self).map_or("", |(.., blocks)| blocks)
    }
    pub fn named(words: &str) -> Option<Mode> {
        Self::ALL.iter().find(|(_, name, _)| *name == words).map(|(mode, ..)| *mode)
    }
    /// Whether INSERT, UPDATE and DELETE wait for it.
    pub fn blocks_writes(self) -> bool {
        self >= Mode::Share
    }
}

/// What a statement does to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Touch {
    pub table: Name,
    #[serde(serialize_with = "mode_words")]
    pub lock: Mode,
    /// Every row is written anew.
    pub rewrite: bool,
    /// Every row is read, to check it or to build an index.
    pub scan: bool,
}

fn mode_words<S: serde::Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(mode.words())
}

/// Touches of one statement: one a table, the strongest lock counts.
#[derive(Debug, Default)]
pub struct Touches(pub Vec<Touch>);

impl Touches {
    fn add(&mut self, table: &str, lock: Mode) -> &mut Touch {
        let at = match self.0.iter().position(|touch| touch.table == table) {
            Some(at) => at,
            None => {
                self.0.push(Touch { table: table.to_owned(), lock, rewrite: false, scan: false });
                self.0.len() - 1
            }
        };
        let touch = &mut self.0[at];
        touch.lock = touch.lock.max(lock);
        touch
    }
    fn scan(&mut self, table: &str, lock: Mode) {
        self.add(table, lock).scan = true;
    }
    fn rewrite(&mut self, table: &str, lock: Mode) {
        let touch = self.add(table, lock);
        touch.rewrite = true;
        touch.scan = true;
    }
}

/// What `what` does to tables, given what is known before it. `version` is PostgreSQL's major version.
pub fn touches(what: &What, catalog: &Catalog, version: u32) -> Touches {
    let mut touches = Touches::default();
    let t = &mut touches;
    match what {
        What::AlterTable { table, actions } => actions.iter().for_each(|action| alter(t, table, action, catalog, version)),
        What::CreateTable(create) => create_table(t, create),
        What::CreateTableAs { reads, .. } => reads.iter().for_each(|table| t.scan(table, Mode::AccessShare)),
        What::DropTable { tables, cascade, .. } => tables.iter().for_each(|table| drop_table(t, table, *cascade, catalog)),
        What::Truncate { tables, cascade } => tables.iter().for_each(|table| truncate(t, table, *cascade, catalog)),
        What::CreateIndex(index) => {
            t.scan(&index.table, if index.concurrently { Mode::ShareUpdateExclusive } else { Mode::Share });
        }
        What::DropIndex { indexes, concurrently, .. } => {
            for index in indexes {
                t.add(&catalog.table_of(index), if *concurrently { Mode::ShareUpdateExclusive } else { Mode::AccessExclusive });
            }
        }
        What::Reindex { target, name: Some(name), concurrently } => {
            let table = if *target == ReindexTarget::Index { catalog.table_of(name) } else { name.clone() };
            t.scan(&table, if *concurrently { Mode::ShareUpdateExclusive } else { Mode::Share });
        }
        What::CreateView { reads, materialized, .. } => {
            reads.iter().for_each(|table| t.add(table, Mode::AccessShare).scan |= *materialized);
        }
        What::DropView { views, materialized: true, .. } => views.iter().for_each(|view| _ = t.add(view, Mode::AccessExclusive)),
        What::RenameView { view, .. } => _ = t.add(view, Mode::AccessExclusive),
        What::Refresh { view, concurrently } => refresh(t, view, *concurrently, catalog),
        What::Attachment { noun, change, table } => {
            let lock = if *noun == "trigger" && *change == Change::Create { Mode::ShareRowExclusive } else { Mode::AccessExclusive };
            t.add(table, lock);
        }
        What::CreateStatistics { table: Some(table) } | What::Comment { table: Some(table) } => {
            t.add(table, Mode::ShareUpdateExclusive);
        }
        What::Grant { tables, .. } if version >= 18 => tables.iter().for_each(|table| _ = t.add(table, Mode::AccessShare)),
        What::AlterDomain { name, scans: true, .. } => {
            catalog.tables_with_type(name).iter().for_each(|table| t.scan(table, Mode::Share));
        }
        What::Dml(dml) => rows(t, dml),
        What::LockTable { tables, mode } => tables.iter().for_each(|table| _ = t.add(table, *mode)),
        What::Vacuum { full: true, tables } => tables.iter().for_each(|table| t.rewrite(table, Mode::AccessExclusive)),
        What::Cluster { table: Some(table) } => t.rewrite(table, Mode::AccessExclusive),
        What::Vacuum { full: false, tables } | What::Analyze { tables } => {
            tables.iter().for_each(|table| _ = t.add(table, Mode::ShareUpdateExclusive));
        }
        What::Copy { table: Some(table), into, .. } => _ = t.add(table, if *into { Mode::RowExclusive } else { Mode::AccessShare }),
        _ => {}
    }
    touches
}

fn rows(t: &mut Touches, dml: &Dml) {
    for table in &dml.reads {
        t.scan(table, Mode::AccessShare);
    }
    for (table, _) in &dml.writes {
        t.add(table, Mode::RowExclusive);
    }
}

fn alter(t: &mut Touches, table: &str, action: &Action, catalog: &Catalog, version: u32) {
    let strong = Mode::AccessExclusive;
    match action {
        Action::AddColumn(column) => add_column(t, table, column, catalog),
        Action::AddConstraint(constraint) => add_constraint(t, table, constraint, catalog),
        Action::SetNotNull { column } => {
            t.add(table, strong).scan |= !catalog.proves_not_null(table, column);
        }
        Action::SetType { column, to, using } => {
            let from = catalog.column_type(table, column);
            let plain = using.as_ref().is_none_or(|using| using.plain);
            match change(catalog.base_of(from).as_ref(), &catalog.base_of(Some(to)).unwrap_or_default()) {
                types::Change::Nothing if plain && !catalog.is_constrained(to) => _ = t.add(table, strong),
                _ => t.rewrite(table, strong),
            }
        }
        Action::SetExpression { column } => {
            if catalog.is_virtual(table, column) {
                t.add(table, strong);
            } else {
                t.rewrite(table, strong);
            }
        }
        Action::Validate { constraint } => {
            t.scan(table, Mode::ShareUpdateExclusive);
            if let Some(target) = catalog.constraint(table, constraint).and_then(TableConstraint::target) {
                t.scan(target, Mode::RowShare);
            }
        }
        Action::DropConstraint { constraint, .. } => {
            t.add(table, strong);
            if let Some(target) = catalog.constraint(table, constraint).and_then(TableConstraint::target) {
                t.add(target, strong);
            }
        }
        Action::DropColumn { column, .. } => {
            t.add(table, strong);
            for target in catalog.targets_through(table, column) {
                t.add(&target, strong);
            }
        }
        Action::ColumnStatistics | Action::Options | Action::ClusterOn => _ = t.add(table, Mode::ShareUpdateExclusive),
        Action::Trigger => _ = t.add(table, Mode::ShareRowExclusive),
        Action::SetLogged { logged } => {
            if catalog.is_logged(table) == Some(*logged) {
                t.add(table, strong);
            } else {
                t.rewrite(table, strong);
            }
        }
        // Copied as it is, block by block.
        Action::SetTablespace => t.add(table, strong).rewrite = true,
        Action::SetAccessMethod => t.rewrite(table, strong),
        Action::Inherit { parent, add } => {
            t.add(table, strong);
            t.add(parent, if *add { Mode::ShareUpdateExclusive } else { Mode::AccessShare });
        }
        Action::Attach { partition, .. } => {
            t.add(table, Mode::ShareUpdateExclusive);
            t.add(partition, strong).scan |= !catalog.may_prove_bounds(table, partition);
            if let Some(default) = catalog.default_partition(table) {
                t.scan(&default, strong);
            }
        }
        Action::Detach { partition, concurrently, finalize } => {
            let weak = *concurrently || *finalize;
            t.add(table, if weak { Mode::ShareUpdateExclusive } else { strong });
            // Until 13 the partition itself was locked less than its parent.
            t.add(partition, if version < 14 { Mode::ShareUpdateExclusive } else { strong });
        }
        _ => _ = t.add(table, strong),
    }
}

fn add_column(t: &mut Touches, table: &str, column: &Column, catalog: &Catalog) {
    let strong = Mode::AccessExclusive;
    t.add(table, strong);
    if rewrites(column, catalog) {
        t.rewrite(table, strong);
    }
    for constraint in &column.constraints {
        match &constraint.kind {
            ConstraintKind::Foreign { target, .. } => {
                t.add(target, Mode::ShareRowExclusive);
                if column.default.is_some() {
                    t.scan(target, Mode::ShareRowExclusive);
                    t.scan(table, strong);
                }
            }
            _ => t.scan(table, strong),
        }
    }
}

/// Whether adding the column writes every row anew.
pub fn rewrites(column: &Column, catalog: &Catalog) -> bool {
    matches!(column.generated, Some(Generated::Stored | Generated::Identity))
        || column.ty.is_serial()
        || column.default.as_ref().is_some_and(|(_, culprit)| culprit.is_some())
        || catalog.is_constrained(&column.ty)
}

fn add_constraint(t: &mut Touches, table: &str, constraint: &Constraint, catalog: &Catalog) {
    let strong = Mode::AccessExclusive;
    let checked = !constraint.not_valid && !constraint.not_enforced;
    match &constraint.kind {
        ConstraintKind::Foreign { target, .. } => {
            for table in [table, target] {
                t.add(table, Mode::ShareRowExclusive).scan |= checked;
            }
        }
        ConstraintKind::Check { .. } => t.add(table, strong).scan |= checked,
        ConstraintKind::NotNull => {
            let proved = constraint.columns.iter().all(|column| catalog.proves_not_null(table, column));
            t.add(table, strong).scan |= checked && !proved;
        }
        ConstraintKind::Unique { index: Some(_) } => _ = t.add(table, strong),
        ConstraintKind::Primary { index: Some(index) } => {
            let columns = catalog.index_columns(index);
            let proved = columns.is_some_and(|columns| columns.iter().all(|column| catalog.proves_not_null(table, column)));
            t.add(table, strong).scan |= !proved;
        }
        ConstraintKind::Unique { index: None } | ConstraintKind::Primary { index: None } | ConstraintKind::Exclude => {
            t.scan(table, strong);
        }
    }
}

fn create_table(t: &mut Touches, create: &CreateTable) {
    let inline = create.columns.iter().flat_map(|column| &column.constraints);
    for target in create.constraints.iter().chain(inline).filter_map(Constraint::target) {
        if *target != create.table {
            t.add(target, Mode::ShareRowExclusive);
        }
    }
    create.likes.iter().for_each(|table| _ = t.add(table, Mode::AccessShare));
    create.inherits.iter().for_each(|table| _ = t.add(table, Mode::ShareUpdateExclusive));
    create.partition_of.iter().for_each(|table| _ = t.add(table, Mode::AccessExclusive));
}

fn drop_table(t: &mut Touches, table: &str, cascade: bool, catalog: &Catalog) {
    t.add(table, Mode::AccessExclusive);
    let targets = catalog.targets_of(table);
    let parent = catalog.parent_of(table);
    let dependents = if cascade { catalog.referencing(table) } else { Vec::new() };
    let views = if cascade { catalog.materialized_over(table) } else { Vec::new() };
    for other in targets.into_iter().chain(parent).chain(dependents).chain(views) {
        t.add(&other, Mode::AccessExclusive);
    }
}

fn truncate(t: &mut Touches, table: &str, cascade: bool, catalog: &Catalog) {
    t.add(table, Mode::AccessExclusive);
    if cascade {
        for other in catalog.referencing(table) {
            t.add(&other, Mode::AccessExclusive);
        }
    }
}

fn refresh(t: &mut Touches, view: &str, concurrently: bool, catalog: &Catalog) {
    if concurrently {
        t.scan(view, Mode::Exclusive);
    } else {
        t.rewrite(view, Mode::AccessExclusive);
    }
    for table in catalog.reads_of(view) {
        t.scan(&table, Mode::AccessShare);
    }
}
