//! The tables as readers outside see them: delta-rs, polars, DuckDB, each row compared. They are Python's, and are asked for
//! where they are: in a virtual environment `target/warehouse-venv` with `deltalake`, `polars` and `duckdb`, or at
//! `TRADEWIND_TEST_PYTHON`.

use crate::Exporter;
use crate::schema::Cell;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

fn python() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/warehouse-venv/bin/python");
    std::env::var_os("TRADEWIND_TEST_PYTHON").map_or_else(beside, PathBuf::from)
}

/// Why the readers cannot be asked; none if they can.
pub fn missing() -> Option<String> {
    let python = python();
    let imports = Command::new(&python).args(["-c", "import deltalake, duckdb, polars"]).output();
    match imports {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("{}: {}", python.display(), String::from_utf8_lossy(&output.stderr))),
        Err(error) => Some(format!("{}: {error}", python.display())),
    }
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => json!(text.as_str()),
        Cell::Number(number) => json!(number),
    }
}

/// Compares what every reader sees with the rows that the exporter holds; gives what they said.
pub fn compare(root: &Path, exporter: &Exporter) -> Result<String, String> {
    let table = |table: &crate::delta::Table| {
        let rows = table.state().adds.keys().flat_map(|path| table.read_rows(path).unwrap());
        let rows: Vec<Vec<Value>> = rows.map(|row| row.iter().map(value).collect()).collect();
        let columns: Vec<&str> = table.schema().columns.iter().map(|column| column.name).collect();
        let of = json!({"dated": table.schema().is_dated, "columns": columns, "rows": rows});
        (table.schema().table.clone(), of)
    };
    let tables: serde_json::Map<String, Value> = exporter.tables().map(table).collect();
    let task = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(task.path(), json!({"root": root, "tables": tables}).to_string()).unwrap();
    let output = Command::new(python()).args(["-c", include_str!("readers.py")]).arg(task.path()).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
}
