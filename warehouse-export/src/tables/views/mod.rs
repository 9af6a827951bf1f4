//! The tables of views. A view has two tables: `<view>_changes`, each change of a row as the row before
//! (`diff` -1) and after (+1), and `<view>_current`, the rows as they are. What is nested in a row is JSON text.

mod columns;

use crate::schema::{Cell, Column, Kind, Row, Schema};
use dataflows::contract::time::Timestamp;
use dataflows::for_each_row;
use dataflows::shop::row::View;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// A column of a view, and where it is in the row's JSON.
#[derive(Clone, Copy, Debug)]
pub struct ViewColumn {
    column: Column,
    /// The field, or the fields one within another.
    path: &'static [&'static str],
    /// Whether it is given as the JSON that it is.
    is_json: bool,
}

impl ViewColumn {
    const fn new(column: Column, path: &'static [&'static str]) -> ViewColumn {
        ViewColumn { column, path, is_json: false }
    }

    const fn id(name: &'static str, path: &'static [&'static str]) -> ViewColumn {
        ViewColumn::new(Column::id(name), path)
    }

    const fn text(name: &'static str, path: &'static [&'static str]) -> ViewColumn {
        ViewColumn::new(Column::new(name, Kind::Text), path)
    }

    const fn long(name: &'static str, path: &'static [&'static str]) -> ViewColumn {
        ViewColumn::new(Column::new(name, Kind::Long), path)
    }

    const fn boolean(name: &'static str, path: &'static [&'static str]) -> ViewColumn {
        ViewColumn::new(Column::new(name, Kind::Boolean), path)
    }

    const fn time(name: &'static str, path: &'static [&'static str]) -> ViewColumn {
        ViewColumn::new(Column::new(name, Kind::Timestamp), path)
    }

    /// The path leads to the amount.
    const fn money(name: &'static str, path: &'static [&'static str]) -> ViewColumn {
        ViewColumn::new(Column::new(name, Kind::Decimal), path)
    }

    const fn json(name: &'static str, path: &'static [&'static str]) -> ViewColumn {
        ViewColumn { column: Column::new(name, Kind::Text), path, is_json: true }
    }
}

/// A row of a view that has tables.
trait ExportedRow {
    /// The columns, after the key.
    const COLUMNS: &'static [ViewColumn];
}

macro_rules! views {
    ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
        /// The columns of a view, after its key.
        const fn columns(view: View) -> &'static [ViewColumn] {
            match view {
                $(View::$variant => <$row as ExportedRow>::COLUMNS,)*
            }
        }
    };
}

for_each_row!(views views);

/// What the tables of a view look like: changes and current.
pub fn schemas(view: View) -> (Schema, Schema) {
    let mut all = vec![Column::id("key")];
    all.extend(columns(view).iter().map(|column| column.column));
    // `diff` and `epoch` stand before the view's own columns, so that a view can get columns.
    let mut changes = vec![all[0], Column::new("diff", Kind::Integer), Column::new("epoch", Kind::Long)];
    changes.extend(&all[1..]);
    let changes = Schema::new(format!("{}_changes", view.name()), changes, true, &["key", "epoch", "diff"]);
    (changes, Schema::new(format!("{}_current", view.name()), all, false, &["key"]))
}

type Fields<'a> = BTreeMap<SmolStr, &'a RawValue>;

/// Ten-thousandths of a decimal number of any length; sums have 128 bits.
fn ten_thousandths(text: &str) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole.strip_prefix('-').unwrap_or(whole)) || !digits(part) || part.len() > 4 {
        return None;
    }
    format!("{whole}{part:0<4}").parse().ok()
}

fn parse(kind: Kind, json: &str) -> Result<Cell, String> {
    let wrong = |error: serde_json::Error| error.to_string();
    Ok(match kind {
        Kind::Text => Cell::Text(serde_json::from_str(json).map_err(wrong)?),
        Kind::Long | Kind::Integer => Cell::Number(serde_json::from_str(json).map_err(wrong)?),
        Kind::Boolean => Cell::Number(serde_json::from_str::<bool>(json).map_err(wrong)?.into()),
        Kind::Timestamp => Cell::time(serde_json::from_str::<Timestamp>(json).map_err(wrong)?),
        Kind::Decimal => {
            let text: SmolStr = serde_json::from_str(json).map_err(wrong)?;
            Cell::money(ten_thousandths(&text).ok_or_else(|| format!("{text} is no amount"))?)
        }
    })
}

fn field(fields: &Fields<'_>, column: &ViewColumn) -> Result<Cell, String> {
    let ViewColumn { column: Column { name, kind, is_id: _ }, path, is_json } = column;
    let Some((first, rest)) = path.split_first() else { return Ok(Cell::Null) };
    let mut found = fields.get(*first).map(|value| value.get());
    for name in rest {
        let Some(json) = found.filter(|json| *json != "null") else { return Ok(Cell::Null) };
        let inner: Fields<'_> = serde_json::from_str(json).map_err(|error| format!("{first}: {error}"))?;
        found = inner.get(*name).map(|value| value.get());
    }
    match found {
        None | Some("null") => Ok(Cell::Null),
        Some(json) if *is_json => Ok(Cell::text(json)),
        Some(json) => parse(*kind, json).map_err(|why| format!("{name}: {why}")),
    }
}

/// The row of a view: its key and its columns.
pub fn row(view: View, key: &SmolStr, value: &[u8]) -> Result<Row, String> {
    let fields: Fields<'_> = serde_json::from_slice(value).map_err(|error| error.to_string())?;
    let cells = columns(view).iter().map(|column| field(&fields, column));
    std::iter::once(Ok(Cell::Text(key.clone()))).chain(cells).collect()
}

/// The fields of a view's row that have columns.
#[cfg(test)]
pub(super) fn fields(view: View) -> std::collections::BTreeSet<&'static str> {
    columns(view).iter().filter_map(|column| column.path.first().copied()).collect()
}
