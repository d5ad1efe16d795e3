//! What a statement says, as far as locks, rewrites and readers of the schema care.

use super::tree::Name;
use super::types::SqlType;

/// One statement and where it stands.
#[derive(Debug)]
pub struct Statement {
    /// Line of its first word, from 1.
    pub line: u32,
    /// Line of its last word.
    pub end_line: u32,
    /// Byte range, without the comments before it.
    pub start: usize,
    pub end: usize,
    /// Its first words, for reports.
    pub head: String,
    pub what: What,
    /// String literals in it, for enum values that are used too early; none for DDL that only names them.
    pub literals: Vec<String>,
    /// Grammar it uses: (feature, first major version that has it).
    pub needs: Vec<(&'static str, u32)>,
    /// Names that PostgreSQL cuts (more than 63 bytes).
    pub too_long: Vec<Name>,
}

#[derive(Debug)]
pub enum What {
    Begin,
    Commit,
    Rollback,
    /// SAVEPOINT, RELEASE, ROLLBACK TO.
    Savepoint,
    /// SET, RESET (no value) and `set_config`; a value of 0 switches a timeout off.
    Set {
        name: String,
        value: Option<String>,
        local: bool,
    },
    AlterTable {
        table: Name,
        actions: Vec<Action>,
    },
    CreateTable(CreateTable),
    CreateTableAs {
        table: Name,
        reads: Vec<Name>,
    },
    DropTable {
        tables: Vec<Name>,
        cascade: bool,
        if_exists: bool,
    },
    Truncate {
        tables: Vec<Name>,
        cascade: bool,
    },
    CreateIndex(CreateIndex),
    DropIndex {
        indexes: Vec<Name>,
        concurrently: bool,
        if_exists: bool,
    },
    AlterIndex {
        index: Name,
        rename: Option<Name>,
    },
    Reindex {
        target: ReindexTarget,
        name: Option<Name>,
        concurrently: bool,
    },
    CreateView {
        view: Name,
        reads: Vec<Name>,
        materialized: bool,
        replace: bool,
    },
    DropView {
        views: Vec<Name>,
        materialized: bool,
        cascade: bool,
    },
    RenameView {
        view: Name,
        to: Name,
        materialized: bool,
    },
    Refresh {
        view: Name,
        concurrently: bool,
    },
    /// Triggers, rules and policies on a table.
    Attachment {
        noun: &'static str,
        change: Change,
        table: Name,
    },
    CreateStatistics {
        table: Option<Name>,
    },
    Comment {
        table: Option<Name>,
    },
    Grant {
        tables: Vec<Name>,
        revoke: bool,
    },
    CreateEnum {
        name: Name,
        values: Vec<String>,
    },
    EnumValue {
        name: Name,
        value: String,
        placed: bool,
    },
    /// Other changes of types: (what is changed) breaks readers.
    AlterType {
        name: Name,
        breaks: Option<&'static str>,
    },
    CreateDomain {
        name: Name,
        base: SqlType,
        constrained: bool,
    },
    AlterDomain {
        name: Name,
        /// ADD CONSTRAINT or SET NOT NULL without NOT VALID, or VALIDATE.
        scans: bool,
        adds: bool,
    },
    DropType {
        noun: &'static str,
        names: Vec<Name>,
        cascade: bool,
    },
    DropSchema {
        schemas: Vec<Name>,
        cascade: bool,
    },
    Drop {
        noun: &'static str,
        names: Vec<Name>,
        cascade: bool,
    },
    Dml(Dml),
    LockTable {
        tables: Vec<Name>,
        mode: super::locks::Mode,
    },
    Vacuum {
        full: bool,
        tables: Vec<Name>,
    },
    Cluster {
        table: Option<Name>,
    },
    Analyze {
        tables: Vec<Name>,
    },
    Copy {
        table: Option<Name>,
        into: bool,
        program: bool,
    },
    /// Code that nobody looked into.
    Unseen {
        what: &'static str,
    },
    CreateFunction {
        name: Name,
        replace: bool,
    },
    AlterSequence {
        name: Name,
    },
    Extension {
        name: Name,
        change: Change,
    },
    /// What belongs to the whole server: databases, tablespaces, ALTER SYSTEM, roles.
    Server {
        what: &'static str,
        /// Whether a transaction block may hold it.
        transactional: bool,
    },
    Schema {
        renamed: Option<(Name, Name)>,
    },
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Create,
    Alter,
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReindexTarget {
    Index,
    Table,
    /// SCHEMA, DATABASE, SYSTEM.
    Many,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Select,
    Insert,
    Update,
    Delete,
    Merge,
}

#[derive(Debug)]
pub struct Dml {
    pub verb: Verb,
    /// What is written to, with the verb that writes; a WITH clause may write, too.
    pub writes: Vec<(Name, Verb)>,
    pub reads: Vec<Name>,
    /// Has WHERE (or LIMIT in a select).
    pub filtered: bool,
    /// INSERT of literal rows only.
    pub few: bool,
}

#[derive(Debug, Default)]
pub struct CreateTable {
    pub table: Name,
    pub if_not_exists: bool,
    pub temporary: bool,
    pub unlogged: bool,
    pub columns: Vec<Column>,
    pub constraints: Vec<Constraint>,
    pub likes: Vec<Name>,
    pub inherits: Vec<Name>,
    pub partition_of: Option<Name>,
    /// Columns of PARTITION BY.
    pub partition_by: Option<Vec<Name>>,
}

#[derive(Debug)]
pub struct CreateIndex {
    pub index: Option<Name>,
    pub table: Name,
    pub columns: Vec<Name>,
    pub unique: bool,
    pub concurrently: bool,
    pub if_not_exists: bool,
    pub only: bool,
    /// Neither WHERE nor expressions: fit to carry a constraint.
    pub plain: bool,
    /// From `ON` to the end, as it was written.
    pub rest: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    Stored,
    Virtual,
    Identity,
}

#[derive(Debug)]
pub struct Column {
    pub name: Name,
    pub ty: SqlType,
    pub not_null: bool,
    /// The default as written, and the function that makes it volatile.
    pub default: Option<(String, Option<String>)>,
    pub generated: Option<Generated>,
    pub constraints: Vec<Constraint>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConstraintKind {
    /// The expression, and the columns of `x IS NOT NULL AND …` where it is nothing else.
    Check {
        text: String,
        not_null: Vec<Name>,
        columns: Vec<Name>,
    },
    NotNull,
    Foreign {
        target: Name,
        rest: String,
    },
    /// The index that carries it, where it is USING INDEX.
    Unique {
        index: Option<Name>,
    },
    Primary {
        index: Option<Name>,
    },
    Exclude,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    pub name: Option<Name>,
    pub kind: ConstraintKind,
    pub columns: Vec<Name>,
    pub not_valid: bool,
    pub not_enforced: bool,
    /// As it was written, without NOT VALID.
    pub text: String,
}

impl Constraint {
    /// What a foreign key points at.
    pub fn target(&self) -> Option<&Name> {
        match &self.kind {
            ConstraintKind::Foreign { target, .. } => Some(target),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub enum Action {
    AddColumn(Column),
    DropColumn {
        column: Name,
        cascade: bool,
    },
    SetDefault {
        column: Name,
    },
    SetNotNull {
        column: Name,
    },
    DropNotNull {
        column: Name,
    },
    SetType {
        column: Name,
        to: SqlType,
        using: Option<Using>,
    },
    SetExpression {
        column: Name,
    },
    /// ADD, SET, DROP of identity, DROP EXPRESSION.
    Identity,
    /// SET STATISTICS, SET (…) of a column.
    ColumnStatistics,
    /// SET STORAGE, SET COMPRESSION.
    ColumnStorage,
    AddConstraint(Constraint),
    Validate {
        constraint: Name,
    },
    DropConstraint {
        constraint: Name,
        cascade: bool,
    },
    AlterConstraint,
    RenameTable {
        to: Name,
    },
    RenameColumn {
        column: Name,
        to: Name,
    },
    RenameConstraint {
        from: Name,
        to: Name,
    },
    SetSchema {
        schema: Name,
    },
    Owner,
    SetLogged {
        logged: bool,
    },
    SetTablespace,
    SetAccessMethod,
    /// SET (…) and RESET (…) of the table.
    Options,
    ClusterOn,
    ReplicaIdentity,
    RowSecurity,
    /// ENABLE and DISABLE TRIGGER.
    Trigger,
    /// ENABLE and DISABLE RULE.
    Rule,
    Inherit {
        parent: Name,
        add: bool,
    },
    Attach {
        partition: Name,
        default: bool,
        bounds: String,
    },
    Detach {
        partition: Name,
        concurrently: bool,
        finalize: bool,
    },
    /// OF type, OPTIONS of foreign tables and what is newer than this list: the strongest lock is assumed.
    Other,
}

/// USING of a change of type.
#[derive(Debug)]
pub struct Using {
    pub text: String,
    /// Only the column itself, or it cast to the new type: what would happen without USING, too.
    pub plain: bool,
}

/// Every place where `what` needs to run outside of a transaction block, in words.
pub fn outside_only(what: &What) -> Option<&'static str> {
    match what {
        What::CreateIndex(index) if index.concurrently => Some("CREATE INDEX CONCURRENTLY"),
        What::DropIndex { concurrently: true, .. } => Some("DROP INDEX CONCURRENTLY"),
        What::Reindex { concurrently: true, .. } => Some("REINDEX CONCURRENTLY"),
        What::Reindex { target: ReindexTarget::Many, .. } => Some("REINDEX of a schema or database"),
        What::AlterTable { actions, .. } if actions.iter().any(|action| matches!(action, Action::Detach { concurrently: true, .. })) => {
            Some("DETACH PARTITION CONCURRENTLY")
        }
        What::Vacuum { .. } => Some("VACUUM"),
        What::Cluster { table: None } => Some("CLUSTER without a table"),
        What::Server { what, transactional: false } => Some(what),
        _ => None,
    }
}
