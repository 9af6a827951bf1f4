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
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use smol_str::SmolStr;
use std::sync::Arc;

const ROW_GROUP_ROWS_MAX: usize = 1 << 20;
/// How many rows are turned at once, and how many bytes of text but for those of one row: bounds the second copy of them.
/// The offsets of an Arrow array of texts, and the sizes of Parquet's pages, have 31 bits: beyond that both panic.
const BATCH_ROWS: usize = 8192;
const BATCH_TEXT_BYTES: usize = 8 << 20;
/// A longer text is an error. One batch is then at most `BATCH_TEXT_BYTES` and this in each column, below 2^31.
const TEXT_BYTES_MAX: usize = 1 << 30;
const ZSTD_LEVEL: i32 = 3;

/// Rows as a file: its bytes, and what the Delta log says of it.
pub struct EncodedFile {
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

/// The texts of a row in bytes, or the column whose text is too long.
fn text_bytes(row: &Row) -> Result<usize, (usize, usize)> {
    row.iter().enumerate().try_fold(0, |sum: usize, (at, cell)| match text(cell).map_or(0, str::len) {
        bytes if bytes > TEXT_BYTES_MAX => Err((at, bytes)),
        bytes => Ok(sum.saturating_add(bytes)),
    })
}

/// The rows that are turned at once.
fn chunks<'a>(schema: &Schema, rows: &'a [Row]) -> Result<Vec<&'a [Row]>, Error> {
    let (mut chunks, mut begin, mut sum) = (Vec::new(), 0, 0_usize);
    for (at, row) in rows.iter().enumerate() {
        let bytes = text_bytes(row).map_err(|(column, bytes)| Error::TooLong {
            table: schema.table.clone(),
            column: schema.columns[column].name,
            bytes,
            bytes_max: TEXT_BYTES_MAX,
        })?;
        sum = sum.saturating_add(bytes);
        if at > begin && (sum > BATCH_TEXT_BYTES || at - begin == BATCH_ROWS) {
            chunks.push(&rows[begin..at]);
            (begin, sum) = (at, bytes);
        }
    }
    chunks.extend((begin < rows.len()).then(|| &rows[begin..]));
    Ok(chunks)
}

/// Rows, in their order, as a file.
pub fn write(schema: &Schema, rows: &[Row]) -> Result<EncodedFile, Error> {
    let arrow = arrow_schema(&schema.columns);
    // The Arrow schema within the file tells readers nothing that the Parquet schema does not.
    let options =
        ArrowWriterOptions::new().with_properties(properties(schema, rows.len())?).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&arrow), options)?;
    for rows in chunks(schema, rows)? {
        let arrays = schema.columns.iter().enumerate().map(|(at, column)| array(column.kind, at, rows));
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        writer.write(&RecordBatch::try_new(Arc::clone(&arrow), arrays).map_err(ParquetError::from)?)?;
    }
    Ok(EncodedFile { bytes: writer.into_inner()?, stats: Stats::of(schema, rows) })
}

/// The record batches of a file, by the types that its Parquet schema alone gives.
pub fn batches(bytes: Vec<u8>) -> Result<Vec<RecordBatch>, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(bytes), options)?;
    reader.with_batch_size(BATCH_ROWS).build()?.map(|batch| batch.map_err(ParquetError::from)).collect()
}

/// The same with texts as views into the pages: a batch of them may have any number of bytes, and a text that many rows
/// share is there once.
fn viewed_batches(bytes: Vec<u8>) -> Result<impl Iterator<Item = Result<RecordBatch, ParquetError>>, ParquetError> {
    let bytes = Bytes::from(bytes);
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&bytes, options.clone())?;
    let view = |field: &Arc<Field>| {
        let is_text = *field.data_type() == DataType::Utf8;
        if is_text { Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)) } else { Arc::clone(field) }
    };
    let fields: Vec<_> = metadata.schema().fields().iter().map(view).collect();
    let options = options.with_schema(Arc::new(ArrowSchema::new(fields)));
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?;
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata);
    Ok(reader.with_batch_size(BATCH_ROWS).build()?.map(|batch| batch.map_err(ParquetError::from)))
}

fn cell(kind: Kind, array: &dyn Array, at: usize) -> Option<Cell> {
    if array.is_null(at) {
        return Some(Cell::Null);
    }
    Some(match kind {
        Kind::Text => Cell::Text(SmolStr::from(array.as_string_view_opt()?.value(at))),
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
    for batch in viewed_batches(bytes).map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_more_than_an_array_holds_are_written_and_read() {
        // Given rows whose texts have more bytes together than 31 bits can count, as one that is shared.
        let schema = Schema::new("t", vec![Column::new("text", Kind::Text)], false, &[]);
        let text = SmolStr::from("x".repeat(1_000_000));
        let rows: Vec<Row> = (0..2_200).map(|_| vec![Cell::Text(text.clone())]).collect();
        assert!(rows.len() * text.len() > i32::MAX as usize);
        let written = write(&schema, &rows).unwrap();
        // Then a reader finds them.
        let (mut count, mut bytes) = (0, 0);
        for batch in viewed_batches(written.bytes).unwrap() {
            let batch = batch.unwrap();
            let texts = batch.column(0).as_string_view();
            count += texts.len();
            bytes += texts.iter().flatten().map(str::len).sum::<usize>();
        }
        assert_eq!((count, bytes), (rows.len(), rows.len() * text.len()));
    }

    #[test]
    fn rows_are_turned_in_pieces_of_bounded_bytes() {
        let schema = Schema::new("t", vec![Column::new("text", Kind::Text)], false, &[]);
        let row = |bytes: usize| vec![Cell::text("x".repeat(bytes))];
        let rows: Vec<Row> = [1, BATCH_TEXT_BYTES, 3, BATCH_TEXT_BYTES - 3, 1].map(row).into();
        let pieces: Vec<usize> = chunks(&schema, &rows).unwrap().iter().map(|piece| piece.len()).collect();
        assert_eq!(pieces, [1, 1, 2, 1]);
        let rows = vec![row(0); BATCH_ROWS + 1];
        let pieces: Vec<usize> = chunks(&schema, &rows).unwrap().iter().map(|piece| piece.len()).collect();
        assert_eq!(pieces, [BATCH_ROWS, 1]);
        assert!(chunks(&schema, &[]).unwrap().is_empty());
    }
}
