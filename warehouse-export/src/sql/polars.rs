//! Frames for polars, in Python: a lazy one of each table under its name.

use super::{TableFiles, Words, revenue};
use crate::schema::{DATE, Kind};
use serde_json::json;

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "pl.String",
        Kind::Long => "pl.Int64",
        Kind::Integer => "pl.Int32",
        Kind::Decimal => "pl.Decimal(18, 4)",
        Kind::Timestamp => "pl.Datetime(\"us\", \"UTC\")",
        Kind::Boolean => "pl.Boolean",
    }
}

const BEGIN: &str = r#"import polars as pl


def _table(files, schema):
    if not files:
        return pl.LazyFrame(schema=schema)
    dates = {name: kind for name, kind in schema.items() if name == "date"}
    columns = {name: kind for name, kind in schema.items() if name != "date"}
    frame = pl.scan_parquet(files, glob=False, schema=columns, missing_columns="insert", extra_columns="ignore",
        hive_partitioning=bool(dates), hive_schema=dates or None)
    return frame.select(list(schema))


"#;

pub fn views(root: &str, tables: &[TableFiles]) -> String {
    let words = Words { month: "STRFTIME(occurred_at, '%Y-%m')", text: "VARCHAR", length: "LENGTH" };
    let mut code = format!(
        "# Lazy frames over the tables in {}, for polars. They name the files of now: print them again for newer rows,\n\
         # at the latest when replaced files are deleted (export.grace_current_s, export.grace_s).\n{BEGIN}",
        root.replace('\n', " ")
    );
    for TableFiles { schema, files } in tables {
        let columns = schema.columns.iter().map(|column| (column.name, kind(column.kind)));
        let columns = columns.chain(schema.is_dated.then_some((DATE, "pl.Date")));
        let columns: Vec<String> = columns.map(|(name, kind)| format!("\"{name}\": {kind}")).collect();
        // A text in JSON is one in Python.
        let files: Vec<String> = files.iter().map(|file| format!("    {},\n", json!(file))).collect();
        let files = if files.is_empty() { "[]".to_owned() } else { format!("[\n{}]", files.concat()) };
        code += &format!("{} = _table({files}, {{{}}})\n", schema.table, columns.join(", "));
    }
    let names = ["order_lines", "credit_lines", "adjustments", "payments", "revenue_current"];
    let frames: Vec<String> = names.iter().map(|name| format!("\"{name}\": {name}")).collect();
    code + &format!("revenue = pl.SQLContext({{{}}}).execute(\"\"\"\n{}\n\"\"\")\n", frames.join(", "), revenue(&words))
}
