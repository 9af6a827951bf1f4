//! Rows as a Parquet file, and back. The same rows give the same bytes. Not for where files are kept.

use crate::Error;
use crate::delta::Stats;
use crate::schema::{Cell, Column, Kind, Row, Schema};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema as ArrowSchema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use smol_str::SmolStr;
use std::sync::Arc;

const ROW_GROUP_ROWS_MAX: usize = 1 << 20;
/// How many rows are turned at once: bounds the second copy of them.
const BATCH_ROWS: usize = 8192;
const ZSTD_LEVEL: i32 = 3;

/// Rows as a file: its bytes, and what the Delta log says of it.
pub struct Written {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it holds.
    pub stats: Stats,
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Long => DataType::Int64,
        Kind::Integer => DataType::Int32,
        Kind::Decimal => DataType::Decimal128(18, 4),
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Boolean => DataType::Boolean,
    }
}

fn arrow_schema(columns: &[Column]) -> Arc<ArrowSchema> {
    let fields = columns.iter().map(|column| Field::new(column.name, data_type(column.kind), true));
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

fn text(cell: &Cell) -> Option<&str> {
    match cell {
        Cell::Text(text) => Some(text),
        Cell::Null | Cell::Number(_) => None,
    }
}

fn number(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Number(number) => Some(*number),
        Cell::Null | Cell::Text(_) => None,
    }
}

fn array(kind: Kind, at: usize, rows: &[Row]) -> Result<ArrayRef, ParquetError> {
    let numbers = || rows.iter().map(|row| number(&row[at]));
    Ok(match kind {
        Kind::Text => Arc::new(StringArray::from_iter(rows.iter().map(|row| text(&row[at])))),
        Kind::Long => Arc::new(Int64Array::from_iter(numbers())),
        Kind::Integer => {
            let narrow = |number: i64| i32::try_from(number).map_err(|error| ParquetError::General(error.to_string()));
            let narrow: Result<Vec<Option<i32>>, _> = numbers().map(|number| number.map(narrow).transpose()).collect();
            Arc::new(Int32Array::from(narrow?))
        }
        Kind::Decimal => {
            let decimals = Decimal128Array::from_iter(numbers().map(|number| number.map(i128::from)));
            Arc::new(decimals.with_precision_and_scale(18, 4)?)
        }
        Kind::Timestamp => Arc::new(TimestampMicrosecondArray::from_iter(numbers()).with_timezone("UTC")),
        Kind::Boolean => Arc::new(BooleanArray::from_iter(numbers().map(|number| number.map(|number| number != 0)))),
    })
}

fn properties(schema: &Schema, rows: usize) -> Result<WriterProperties, ParquetError> {
    let sorting = schema.sort.iter().map(|at| SortingColumn {
        column_idx: i32::try_from(*at).unwrap_or(i32::MAX),
        descending: false,
        nulls_first: true,
    });
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        // Of every page too: that is the page index.
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting.collect()));
    for column in schema.columns.iter().filter(|column| column.is_id) {
        let distinct_max = rows.min(ROW_GROUP_ROWS_MAX) as u64;
        let path = ColumnPath::from(column.name);
        properties = properties
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_max_ndv(path, distinct_max.max(1));
    }
    Ok(properties.build())
}

/// Rows, in their order, as a file.
pub fn write(schema: &Schema, rows: &[Row]) -> Result<Written, Error> {
    let arrow = arrow_schema(&schema.columns);
    // The Arrow schema within the file tells readers nothing that the Parquet schema does not.
    let options =
        ArrowWriterOptions::new().with_properties(properties(schema, rows.len())?).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&arrow), options)?;
    for rows in rows.chunks(BATCH_ROWS) {
        let arrays = schema.columns.iter().enumerate().map(|(at, column)| array(column.kind, at, rows));
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        writer.write(&RecordBatch::try_new(Arc::clone(&arrow), arrays).map_err(ParquetError::from)?)?;
    }
    Ok(Written { bytes: writer.into_inner()?, stats: Stats::of(schema, rows) })
}

/// The record batches of a file, by the types that its Parquet schema alone gives.
pub fn batches(bytes: Vec<u8>) -> Result<Vec<RecordBatch>, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(bytes), options)?;
    reader.with_batch_size(BATCH_ROWS).build()?.map(|batch| batch.map_err(ParquetError::from)).collect()
}

fn cell(kind: Kind, array: &dyn Array, at: usize) -> Option<Cell> {
    if array.is_null(at) {
        return Some(Cell::Null);
    }
    Some(match kind {
        Kind::Text => Cell::Text(SmolStr::from(array.as_string_opt::<i32>()?.value(at))),
        Kind::Long => Cell::Number(array.as_primitive_opt::<Int64Type>()?.value(at)),
        Kind::Integer => Cell::Number(array.as_primitive_opt::<Int32Type>()?.value(at).into()),
        Kind::Decimal => Cell::Number(i64::try_from(array.as_primitive_opt::<Decimal128Type>()?.value(at)).ok()?),
        Kind::Timestamp => Cell::Number(array.as_primitive_opt::<TimestampMicrosecondType>()?.value(at)),
        Kind::Boolean => Cell::Number(array.as_boolean_opt()?.value(at).into()),
    })
}

/// The rows of a file, in its order. Columns that came to the table after it are null.
pub fn read(schema: &Schema, bytes: Vec<u8>) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for batch in batches(bytes).map_err(|error| error.to_string())? {
        let arrays: Vec<_> = schema.columns.iter().map(|column| batch.column_by_name(column.name)).collect();
        for at in 0..batch.num_rows() {
            let cells = schema.columns.iter().zip(&arrays).map(|(column, array)| match array {
                Some(array) => cell(column.kind, array, at)
                    .ok_or_else(|| format!("the column {} holds {}", column.name, array.data_type())),
                None => Ok(Cell::Null),
            });
            rows.push(cells.collect::<Result<Row, _>>()?);
        }
    }
    Ok(rows)
}
