//! From the parser's tree to what CREATE TABLE and ALTER TABLE say.

use super::statement::{Action, Column, Constraint, ConstraintKind, CreateTable, Generated, Using, What};
use super::tree::{K, Name, Node, all_named, below, child, children, has, name, named, text, words};
use super::{types, volatile};

pub fn alter(node: &Node) -> What {
    let table = child(node, K::TABLE_RELATION_NAME).map(|clause| name(&clause)).unwrap_or_default();
    let actions = node
        .children()
        .filter(|child| !matches!(child.kind(), K::TABLE_RELATION_NAME | K::IF_EXISTS | K::ALL_IN_TABLESPACE))
        .map(|child| action(&child))
        .collect();
    What::AlterTable { table, actions }
}

fn action(node: &Node) -> Action {
    let constraint_name = || named(node, K::CONSTRAINT_NAME_REF).unwrap_or_default();
    match node.kind() {
        K::ADD_COLUMN => Action::AddColumn(column(node)),
        K::DROP_COLUMN => {
            Action::DropColumn { column: named(node, K::COLUMN_NAME_REF).unwrap_or_default(), cascade: has(node, K::CASCADE) }
        }
        K::ALTER_COLUMN => alter_column(node),
        K::ADD_CONSTRAINT => node.children().next().and_then(|node| constraint(&node)).map_or(Action::Other, Action::AddConstraint),
        K::VALIDATE_CONSTRAINT => Action::Validate { constraint: constraint_name() },
        K::DROP_CONSTRAINT => Action::DropConstraint { constraint: constraint_name(), cascade: has(node, K::CASCADE) },
        K::ALTER_CONSTRAINT => Action::AlterConstraint,
        K::TABLE_RENAME_TO => Action::RenameTable { to: named(node, K::TABLE_NAME).unwrap_or_default() },
        K::RENAME_COLUMN => Action::RenameColumn {
            column: named(node, K::COLUMN_NAME_REF).unwrap_or_default(),
            to: named(node, K::COLUMN_NAME).unwrap_or_default(),
        },
        K::RENAME_CONSTRAINT => {
            Action::RenameConstraint { from: constraint_name(), to: named(node, K::CONSTRAINT_NAME).unwrap_or_default() }
        }
        K::SET_SCHEMA => Action::SetSchema { schema: named(node, K::SCHEMA_REF).unwrap_or_default() },
        K::OWNER_TO => Action::Owner,
        K::SET_LOGGED => Action::SetLogged { logged: true },
        K::SET_UNLOGGED => Action::SetLogged { logged: false },
        K::SET_TABLESPACE => Action::SetTablespace,
        K::SET_ACCESS_METHOD => Action::SetAccessMethod,
        K::SET_OPTIONS | K::RESET_OPTIONS => Action::Options,
        K::CLUSTER_ON | K::SET_WITHOUT_CLUSTER => Action::ClusterOn,
        K::REPLICA_IDENTITY => Action::ReplicaIdentity,
        K::ENABLE_RLS | K::DISABLE_RLS | K::FORCE_RLS | K::NO_FORCE_RLS => Action::RowSecurity,
        K::ENABLE_TRIGGER | K::DISABLE_TRIGGER | K::ENABLE_ALWAYS_TRIGGER | K::ENABLE_REPLICA_TRIGGER => Action::Trigger,
        K::ENABLE_RULE | K::DISABLE_RULE | K::ENABLE_ALWAYS_RULE | K::ENABLE_REPLICA_RULE => Action::Rule,
        K::INHERIT_TABLE | K::NO_INHERIT_TABLE => {
            Action::Inherit { parent: named(node, K::TABLE_NAME_REF).unwrap_or_default(), add: node.kind() == K::INHERIT_TABLE }
        }
        K::ATTACH_PARTITION => Action::Attach {
            partition: named(node, K::TABLE_NAME_REF).unwrap_or_default(),
            default: has(node, K::PARTITION_DEFAULT),
            bounds: node.children().last().map(|bounds| text(&bounds, 200)).unwrap_or_default(),
        },
        K::DETACH_PARTITION => Action::Detach {
            partition: named(node, K::TABLE_NAME_REF).unwrap_or_default(),
            concurrently: has(node, K::DETACH_CONCURRENTLY),
            finalize: has(node, K::DETACH_FINALIZE),
        },
        _ => Action::Other,
    }
}

fn alter_column(node: &Node) -> Action {
    let column = named(node, K::COLUMN_NAME_REF).unwrap_or_default();
    let Some(option) = node.children().find(|child| child.kind() != K::COLUMN_NAME_REF) else { return Action::Other };
    match option.kind() {
        K::SET_DEFAULT | K::DROP_DEFAULT => Action::SetDefault { column },
        K::SET_NOT_NULL => Action::SetNotNull { column },
        K::DROP_NOT_NULL => Action::DropNotNull { column },
        K::SET_TYPE => {
            let to = types::in_node(&option).unwrap_or_default();
            let using = child(&option, K::USING_EXPR).map(|using| {
                let written = text(&using, 200);
                let plain = is_plain_cast(&using, &column, &to);
                Using { text: written, plain }
            });
            Action::SetType { column, to, using }
        }
        K::SET_EXPRESSION => Action::SetExpression { column },
        K::SET_STATISTICS | K::SET_OPTIONS | K::RESET_OPTIONS | K::SET_OPTIONS_LIST => Action::ColumnStatistics,
        K::SET_STORAGE | K::SET_COMPRESSION => Action::ColumnStorage,
        K::ADD_GENERATED
        | K::SET_GENERATED
        | K::SET_GENERATED_OPTIONS
        | K::SET_SEQUENCE_OPTION
        | K::RESTART
        | K::DROP_IDENTITY
        | K::DROP_EXPRESSION => Action::Identity,
        _ => Action::Other,
    }
}

/// `USING a` and `USING a::new_type` say nothing that ALTER TYPE would not do by itself.
fn is_plain_cast(using: &Node, column: &str, to: &types::SqlType) -> bool {
    let mut inner = using.children().next();
    while let Some(node) = inner {
        match node.kind() {
            K::PAREN_EXPR => inner = node.children().next(),
            K::NAME_REF => return name(&node) == column,
            K::CAST_EXPR => {
                let whole = types::in_node(&node).is_some_and(|ty| ty.base == to.base && ty.args == to.args && ty.array == to.array);
                return whole && node.children().next().is_some_and(|operand| operand.kind() == K::NAME_REF && name(&operand) == column);
            }
            _ => return false,
        }
    }
    false
}

pub fn create(node: &Node) -> CreateTable {
    let mut made = CreateTable {
        table: named(node, K::TABLE_NAME).unwrap_or_default(),
        if_not_exists: has(node, K::IF_NOT_EXISTS),
        temporary: has(node, K::TEMP),
        unlogged: has(node, K::UNLOGGED),
        inherits: child(node, K::INHERITS).map(|inherits| all_named(&inherits, K::TABLE_NAME_REF)).unwrap_or_default(),
        partition_of: child(node, K::PARTITION_OF).and_then(|of| named(&of, K::TABLE_NAME_REF)),
        partition_by: child(node, K::PARTITION_BY).map(|by| {
            below(&by, K::PARTITION_ITEM_LIST)
                .map(|list| children(&list, K::PARTITION_ITEM).filter_map(|item| named(&item, K::NAME_REF)).collect())
                .unwrap_or_default()
        }),
        ..CreateTable::default()
    };
    for list in children(node, K::TABLE_ARG_LIST) {
        for part in list.children() {
            match part.kind() {
                K::COLUMN => made.columns.push(column(&part)),
                K::LIKE_CLAUSE => made.likes.extend(named(&part, K::RELATION_NAME_REF)),
                _ => made.constraints.extend(constraint(&part)),
            }
        }
    }
    made
}

fn column(node: &Node) -> Column {
    let mut column = Column {
        name: named(node, K::COLUMN_NAME).unwrap_or_default(),
        ty: types::in_node(node).unwrap_or_default(),
        not_null: false,
        default: None,
        generated: None,
        constraints: Vec::new(),
    };
    for part in node.children() {
        match part.kind() {
            K::NOT_NULL_CONSTRAINT => column.not_null = true,
            K::DEFAULT_CONSTRAINT => {
                if let Some(value) = part.children().find(|child| child.kind() != K::CONSTRAINT_NAME_CLAUSE) {
                    column.default = Some((text(&value, 120), volatile::culprit(&value)));
                }
            }
            K::GENERATED_CONSTRAINT => {
                column.generated = match () {
                    () if has(&part, K::GENERATED_IDENTITY) => Some(Generated::Identity),
                    () if words(&part).any(|token| token.kind() == K::STORED_KW) => Some(Generated::Stored),
                    () => Some(Generated::Virtual),
                };
            }
            _ => {
                if let Some(mut constraint) = constraint(&part) {
                    column.not_null |= matches!(constraint.kind, ConstraintKind::Primary { .. });
                    if constraint.columns.is_empty() {
                        constraint.columns = vec![column.name.clone()];
                    }
                    column.constraints.push(constraint);
                }
            }
        }
    }
    if column.ty.is_serial() {
        column.not_null = true;
    }
    if column.generated == Some(Generated::Identity) {
        column.not_null = true;
    }
    column
}

/// A constraint of a table or of a column; `None` for other children.
pub fn constraint(node: &Node) -> Option<Constraint> {
    let index = || child(node, K::USING_INDEX_NAME).and_then(|using| named(&using, K::INDEX_REF));
    let mut columns: Vec<Name> = Vec::new();
    let kind = match node.kind() {
        K::CHECK_CONSTRAINT => {
            let expression = node.children().find(|child| {
                !matches!(child.kind(), K::CONSTRAINT_NAME_CLAUSE | K::NOT_VALID | K::NOT_ENFORCED | K::ENFORCED | K::NO_INHERIT)
            });
            let named_columns =
                |node: &Node| node.descendants().filter(|node| node.kind() == K::NAME_REF).map(|node| name(&node)).collect::<Vec<_>>();
            ConstraintKind::Check {
                text: expression.as_ref().map(|node| text(node, 300)).unwrap_or_default(),
                not_null: expression.as_ref().map(volatile::not_null_columns).unwrap_or_default(),
                columns: expression.as_ref().map(named_columns).unwrap_or_default(),
            }
        }
        K::NOT_NULL_CONSTRAINT => {
            columns.extend(named(node, K::COLUMN_NAME_REF));
            ConstraintKind::NotNull
        }
        K::FOREIGN_KEY_CONSTRAINT | K::REFERENCES_CONSTRAINT => {
            if let Some(list) = child(node, K::FOREIGN_KEY_COLUMN_LIST).filter(|_| node.kind() == K::FOREIGN_KEY_CONSTRAINT) {
                columns.extend(all_named(&list, K::COLUMN_NAME_REF));
            }
            let whole = text(node, 300);
            let rest = whole.to_lowercase().find("references").and_then(|at| whole.get(at..)).unwrap_or_default().to_owned();
            ConstraintKind::Foreign { target: named(node, K::TABLE_NAME_REF)?, rest }
        }
        K::UNIQUE_CONSTRAINT | K::PRIMARY_KEY_CONSTRAINT => {
            if let Some(list) = below(node, K::CONSTRAINT_COLUMN_REF_LIST) {
                columns.extend(all_named(&list, K::COLUMN_NAME_REF));
            }
            match node.kind() {
                K::UNIQUE_CONSTRAINT => ConstraintKind::Unique { index: index() },
                _ => ConstraintKind::Primary { index: index() },
            }
        }
        K::EXCLUDE_CONSTRAINT => ConstraintKind::Exclude,
        _ => return None,
    };
    Some(Constraint {
        name: child(node, K::CONSTRAINT_NAME_CLAUSE).and_then(|clause| named(&clause, K::CONSTRAINT_NAME)),
        kind,
        columns,
        not_valid: has(node, K::NOT_VALID),
        not_enforced: has(node, K::NOT_ENFORCED),
        text: text(node, 300),
    })
}
