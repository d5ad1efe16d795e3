//! Reading documents outside of decisions: for pages, lists and counts. Nothing here is locked; what decides reads again
//! inside its own transaction.

use crate::database::{Arg, Row, args};
use crate::error::{Result, StoreError};
use crate::group::{CARD, card};
use crate::{Store, instant};
use holdpoint_domain::kernel::{Doc, DocKey, Kind, Noun, Timestamp};

/// A list never has more rows than this.
const LIMIT_MAX: u32 = 1000;

/// In which order a list comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By key.
    #[default]
    Key,
    /// Streams that began last come first.
    Newest,
}

/// Which documents of a kind; what is not set does not filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub service: Option<String>,
    pub environment: Option<String>,
    /// The state's name, as the noun gives it.
    pub label: Option<String>,
    pub live: Option<bool>,
    pub order: Order,
    /// [`Page::next`] of the page before.
    pub cursor: Option<String>,
    /// 0 means 100; at most 1000.
    pub limit: u32,
}

/// A document with what its row says about it.
#[derive(Debug, Clone, PartialEq)]
pub struct DocRow {
    pub doc: Doc,
    pub live: bool,
    /// Time of the stream's first fact.
    pub opened: Timestamp,
    /// Time of its last fact.
    pub changed: Timestamp,
}

/// Some documents, and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    pub rows: Vec<DocRow>,
    pub next: Option<String>,
}

/// Numbers for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub facts: u64,
    pub unsealed: u64,
    pub documents: u64,
    pub actions_ready: u64,
    pub actions_leased: u64,
    pub sessions: u64,
    pub blobs: u64,
    pub blob_bytes: u64,
}

impl Store {
    /// One document.
    pub async fn doc(&self, project: &str, key: &DocKey) -> Result<Option<Doc>> {
        Ok(self.doc_row(project, key).await?.map(|row| row.doc))
    }

    /// One document with its row.
    pub async fn doc_row(&self, project: &str, key: &DocKey) -> Result<Option<DocRow>> {
        let sql = format!("{CARD} FROM p_doc WHERE project = $1 AND kind = $2 AND key = $3");
        let row = self.db().row(sql, args![project, key.kind.name(), &key.key]).await?;
        row.map(|row| read_row(&row)).transpose()
    }

    /// One noun.
    pub async fn get<T: Noun>(&self, project: &str, key: &str) -> Result<Option<T>> {
        self.doc(project, &DocKey::new(T::KIND, key)).await?.map(|doc| noun(&doc)).transpose()
    }

    /// Documents of a kind, a page at a time.
    pub async fn docs(&self, project: &str, kind: Kind, filter: &Filter) -> Result<Page> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit.min(LIMIT_MAX) };
        let mut sql = format!("{CARD} FROM p_doc WHERE project = $1 AND kind = $2");
        let mut bind = args![project, kind.name()];
        let mut and = |condition: &str, value: Arg| {
            bind.push(value);
            sql.push_str(&condition.replace("$?", &format!("${}", bind.len())));
        };
        let columns =
            [(" AND service = $?", &filter.service), (" AND environment = $?", &filter.environment), (" AND label = $?", &filter.label)];
        for (condition, value) in columns {
            if let Some(value) = value {
                and(condition, value.into());
            }
        }
        if let Some(live) = filter.live {
            and(" AND live = $?", live.into());
        }
        if let Some(cursor) = &filter.cursor {
            match filter.order {
                Order::Key => and(" AND key > $?", cursor.into()),
                Order::Newest => {
                    let parts = cursor.split_once('.').and_then(|(us, key)| Some((us.parse::<i64>().ok()?, key)));
                    let (us, key) = parts.ok_or_else(|| StoreError::Broken("the cursor is not of this list".to_owned()))?;
                    and(" AND (opened_us, key) < ($?", us.into());
                    and(", $?)", key.into());
                }
            }
        }
        let order = match filter.order {
            Order::Key => " ORDER BY key",
            Order::Newest => " ORDER BY opened_us DESC, key DESC",
        };
        // A number, no parameter: SQLite plans a statement with a bound LIMIT anew each time (sqlite3ExprIsInteger looks at it).
        sql.push_str(&format!("{order} LIMIT {}", limit + 1));
        let mut rows = self.db().rows(sql, bind).await?.iter().map(read_row).collect::<Result<Vec<_>>>()?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| more).map(|last| match filter.order {
            Order::Key => last.doc.key.key.clone(),
            Order::Newest => format!("{}.{}", last.opened.as_microsecond(), last.doc.key.key),
        });
        Ok(Page { rows, next })
    }

    /// Nouns of a kind, a page at a time, and the cursor of the next page.
    pub async fn list<T: Noun>(&self, project: &str, filter: &Filter) -> Result<(Vec<T>, Option<String>)> {
        let page = self.docs(project, T::KIND, filter).await?;
        Ok((page.rows.iter().map(|row| noun(&row.doc)).collect::<Result<_>>()?, page.next))
    }

    /// All live nouns of a kind, in the order of their keys. For kinds of which there are few.
    pub async fn all<T: Noun>(&self, project: &str) -> Result<Vec<T>> {
        let mut filter = Filter { live: Some(true), limit: LIMIT_MAX, ..Filter::default() };
        let mut all = Vec::new();
        loop {
            let (nouns, next) = self.list(project, &filter).await?;
            all.extend(nouns);
            if next.is_none() {
                return Ok(all);
            }
            filter.cursor = next;
        }
    }

    /// Numbers for metrics. Counts whole tables; not for every request.
    pub async fn counts(&self) -> Result<Counts> {
        let sql = "SELECT (SELECT COUNT(*) FROM facts), (SELECT COUNT(*) FROM facts WHERE log_index IS NULL), (SELECT COUNT(*) FROM p_doc),
             (SELECT COUNT(*) FROM o_action WHERE state = 'ready'), (SELECT COUNT(*) FROM o_action WHERE state = 'leased'),
             (SELECT COUNT(*) FROM o_session), (SELECT COUNT(*) FROM o_blob), (SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM o_blob)";
        let Some(row) = self.db().row(sql, args![]).await? else { return Ok(Counts::default()) };
        Ok(Counts {
            facts: row.count(0)?,
            unsealed: row.count(1)?,
            documents: row.count(2)?,
            actions_ready: row.count(3)?,
            actions_leased: row.count(4)?,
            sessions: row.count(5)?,
            blobs: row.count(6)?,
            blob_bytes: row.count(7)?,
        })
    }

    /// How many live documents of a kind there are, by label.
    pub async fn count_by_label(&self, project: &str, kind: Kind) -> Result<Vec<(Option<String>, u64)>> {
        let sql = "SELECT label, COUNT(*) FROM p_doc WHERE project = $1 AND kind = $2 AND live = 1 GROUP BY label ORDER BY label";
        self.db().rows(sql, args![project, kind.name()]).await?.iter().map(|row| Ok((row.maybe_text(0)?, row.count(1)?))).collect()
    }
}

/// Reads a document as its noun.
pub(crate) fn noun<T: Noun>(doc: &Doc) -> Result<T> {
    doc.state
        .noun::<T>()
        .map(std::sync::Arc::unwrap_or_clone)
        .map_err(|why| StoreError::Broken(format!("document {} cannot be read by this program: {why}", doc.key.stream())))
}

fn read_row(row: &Row) -> Result<DocRow> {
    let ((_, key), card) = card(row)?;
    Ok(DocRow {
        doc: Doc { key, position: card.position, state: card.state },
        live: card.live,
        opened: instant(card.opened_us)?,
        changed: instant(card.at_us)?,
    })
}
