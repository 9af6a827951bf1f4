//! Columns of a Parquet file, a row group at a time, with errors that name a column that is missing or of another type.
//! Not for nested columns, and not for what the values mean.

use anyhow::{Context, Result, anyhow, bail};
use parquet::basic::{LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

/// A Parquet file that is open.
pub struct ParquetFile {
    reader: Box<dyn FileReader>,
    name: String,
}

/// A text that [`Texts`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextId(u32);

/// Texts, each held once.
#[derive(Debug, Default)]
pub struct Texts {
    list: Vec<Box<str>>,
    ids: HashMap<Box<str>, TextId>,
}

impl Texts {
    /// The text's id; a new one if it was not there.
    pub fn id(&mut self, text: &str) -> TextId {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = TextId(u32::try_from(self.list.len()).expect("a file has fewer than 2^32 different texts"));
        self.list.push(text.into());
        self.ids.insert(text.into(), id);
        id
    }

    /// The text of that id.
    pub fn text(&self, id: TextId) -> &str {
        &self.list[id.0 as usize]
    }
}

impl ParquetFile {
    /// Opens a file and reads its footer.
    pub fn open(path: &Path) -> Result<ParquetFile> {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("{name} cannot be opened"))?;
        ParquetFile::read_footer(file, name)
    }

    fn read_footer<R: ChunkReader + 'static>(from: R, name: String) -> Result<ParquetFile> {
        let reader = SerializedFileReader::new(from).with_context(|| format!("{name} is no Parquet file"))?;
        Ok(ParquetFile { reader: Box::new(reader), name })
    }

    /// The number of row groups.
    pub fn groups(&self) -> usize {
        self.reader.num_row_groups()
    }

    /// A column of 32 or 64 bit integers; `None` where it is null.
    pub fn integers(&self, group: usize, column: &str) -> Result<Vec<Option<i64>>> {
        let (at, described) = self.column(column)?;
        match described.logical_type_ref() {
            None | Some(LogicalType::Integer(_)) => self.whole_numbers(group, at, described, "whole numbers"),
            Some(_) => Err(self.wrong_type(described, "whole numbers")),
        }
    }

    /// A column of decimals as ten-thousandths.
    pub fn ten_thousandths(&self, group: usize, column: &str) -> Result<Vec<Option<i64>>> {
        const WANTED: &str = "decimals of at most 64 bits with at most 4 decimal places";
        let (at, described) = self.column(column)?;
        let Some(LogicalType::Decimal(decimal)) = described.logical_type_ref() else {
            return Err(self.wrong_type(described, WANTED));
        };
        let places = u32::try_from(decimal.scale).ok().filter(|places| *places <= 4);
        let factor = 10_i64.pow(4 - places.ok_or_else(|| self.wrong_type(described, WANTED))?);
        let mut values = self.whole_numbers(group, at, described, WANTED)?;
        for value in values.iter_mut().flatten() {
            *value =
                value.checked_mul(factor).ok_or_else(|| anyhow!("{}: {column} has {value}: too large", self.name))?;
        }
        Ok(values)
    }

    /// A column of time stamps as microseconds since 1970; without a zone they are taken as UTC.
    pub fn micros(&self, group: usize, column: &str) -> Result<Vec<Option<i64>>> {
        const WANTED: &str = "time stamps in microseconds";
        let (at, described) = self.column(column)?;
        match described.logical_type_ref() {
            Some(LogicalType::Timestamp(stamp)) if stamp.unit == TimeUnit::MICROS => {
                self.whole_numbers(group, at, described, WANTED)
            }
            _ => Err(self.wrong_type(described, WANTED)),
        }
    }

    /// A column of texts; each goes into `texts` as it is.
    pub fn texts(&self, group: usize, column: &str, texts: &mut Texts) -> Result<Vec<Option<TextId>>> {
        let (at, described) = self.column(column)?;
        let ColumnReader::ByteArrayColumnReader(reader) = self.reader.get_row_group(group)?.get_column_reader(at)?
        else {
            return Err(self.wrong_type(described, "texts"));
        };
        let read = self.read(reader, described)?;
        let as_text = |bytes: &ByteArray, texts: &mut Texts| match std::str::from_utf8(bytes.data()) {
            Ok(text) => Ok(texts.id(text)),
            Err(_) => bail!("{}: {column} has a text that is not UTF-8", self.name),
        };
        read.iter().map(|bytes| bytes.as_ref().map(|bytes| as_text(bytes, texts)).transpose()).collect()
    }

    /// A column of lists of texts; an absent list is an empty one.
    pub fn text_lists(&self, group: usize, column: &str) -> Result<Vec<Vec<String>>> {
        let columns = self.reader.metadata().file_metadata().schema_descr().columns();
        let is_of = |path: &str| path.strip_prefix(column).is_some_and(|rest| rest.starts_with('.'));
        let found = columns.iter().enumerate().find(|(_, described)| is_of(&described.path().string()));
        let Some((at, described)) = found.filter(|(_, described)| described.max_rep_level() == 1) else {
            bail!("{} has no column {column} of lists", self.name);
        };
        let ColumnReader::ByteArrayColumnReader(mut reader) =
            self.reader.get_row_group(group)?.get_column_reader(at)?
        else {
            return Err(self.wrong_type(described, "lists of texts"));
        };
        let (mut there, mut starts, mut values) = (Vec::new(), Vec::new(), Vec::new());
        reader
            .read_records(usize::MAX, Some(&mut there), Some(&mut starts), &mut values)
            .with_context(|| format!("{}: column {column} cannot be read", self.name))?;
        let (mut lists, mut values) = (Vec::new(), values.into_iter());
        for (level, start) in there.into_iter().zip(starts) {
            if start == 0 {
                lists.push(Vec::new());
            }
            if level == described.max_def_level()
                && let (Some(list), Some(value)) = (lists.last_mut(), values.next())
            {
                let text = std::str::from_utf8(value.data());
                let text = text.with_context(|| format!("{}: {column} has a text that is not UTF-8", self.name))?;
                list.push(text.to_owned());
            }
        }
        Ok(lists)
    }

    /// Checks that each value is there.
    pub fn all_there<T>(&self, column: &str, values: Vec<Option<T>>) -> Result<Vec<T>> {
        let there: Option<Vec<T>> = values.into_iter().collect();
        there.with_context(|| format!("{}: {column} has nulls, and may have none", self.name))
    }

    fn column(&self, name: &str) -> Result<(usize, &ColumnDescriptor)> {
        let columns = self.reader.metadata().file_metadata().schema_descr().columns();
        let found = columns.iter().enumerate().find(|(_, described)| described.path().string() == name);
        let (at, described) = found.with_context(|| {
            let there: Vec<String> = columns.iter().map(|described| described.path().string()).collect();
            format!("{} has no column {name}; it has {}", self.name, there.join(", "))
        })?;
        if described.max_rep_level() > 0 || described.max_def_level() > 1 {
            bail!("{}: column {name} is nested", self.name);
        }
        Ok((at, described))
    }

    fn wrong_type(&self, described: &ColumnDescriptor, wanted: &str) -> anyhow::Error {
        let logical = described.logical_type_ref().map(|logical| format!(" ({logical:?})")).unwrap_or_default();
        let there = described.physical_type();
        anyhow!("{}: column {} must be {wanted}, and is {there}{logical}", self.name, described.name())
    }

    fn whole_numbers(
        &self,
        group: usize,
        at: usize,
        described: &ColumnDescriptor,
        wanted: &str,
    ) -> Result<Vec<Option<i64>>> {
        match self.reader.get_row_group(group)?.get_column_reader(at)? {
            ColumnReader::Int32ColumnReader(reader) => {
                Ok(self.read(reader, described)?.into_iter().map(|value| value.map(i64::from)).collect())
            }
            ColumnReader::Int64ColumnReader(reader) => self.read(reader, described),
            _ => Err(self.wrong_type(described, wanted)),
        }
    }

    /// All values of a column in a row group, with its nulls put back.
    fn read<T: DataType>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        described: &ColumnDescriptor,
    ) -> Result<Vec<Option<T::T>>> {
        let (mut there, mut values) = (Vec::new(), Vec::new());
        let (records, ..) = reader
            .read_records(usize::MAX, Some(&mut there), None, &mut values)
            .with_context(|| format!("{}: column {} cannot be read", self.name, described.name()))?;
        if described.max_def_level() == 0 {
            return Ok(values.into_iter().map(Some).collect());
        }
        debug_assert_eq!(records, there.len());
        let mut values = values.into_iter();
        Ok(there.into_iter().map(|level| if level == 1 { values.next() } else { None }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use parquet::data_type::{ByteArrayType, Int32Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    /// A file with a number (`n`), a text that may be null (`t`), a price (`p`) and a nested column.
    fn file() -> ParquetFile {
        let schema = "message m { required int32 n; optional binary t (string); required int32 p (decimal(9,2));
            repeated int32 list; }";
        let mut bytes = Vec::new();
        let schema = parse_message_type(schema).unwrap().into();
        let mut writer =
            SerializedFileWriter::new(&mut bytes, schema, WriterProperties::builder().build().into()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[1, -2], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&["a ".into()], Some(&[0, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[255, 1], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[], Some(&[0, 0]), Some(&[0, 0])).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        ParquetFile::read_footer(Bytes::from(bytes), "x.parquet".to_owned()).unwrap()
    }

    fn told<T>(result: Result<T>) -> String {
        result.err().map(|error| format!("{error:#}")).unwrap_or_default()
    }

    #[test]
    fn columns_are_read_with_their_nulls() {
        let (file, mut texts) = (file(), Texts::default());
        assert_eq!(file.integers(0, "n").unwrap(), [Some(1), Some(-2)]);
        let read = file.texts(0, "t", &mut texts).unwrap();
        assert_eq!(read, [None, Some(texts.id("a "))]);
        let id = texts.id("a ");
        assert_eq!(texts.text(id), "a ");
        assert_eq!(file.ten_thousandths(0, "p").unwrap(), [Some(25_500), Some(100)]);
        assert_eq!(told(file.all_there("t", read)), "x.parquet: t has nulls, and may have none");
    }

    #[test]
    fn a_column_that_is_missing_or_of_another_type_is_named() {
        let (file, mut texts) = (file(), Texts::default());
        assert_eq!(told(file.integers(0, "seq")), "x.parquet has no column seq; it has n, t, p, list");
        assert_eq!(told(file.texts(0, "n", &mut texts)), "x.parquet: column n must be texts, and is INT32");
        assert_eq!(
            told(file.integers(0, "t")),
            "x.parquet: column t must be whole numbers, and is BYTE_ARRAY (String)"
        );
        assert_eq!(told(file.micros(0, "n")), "x.parquet: column n must be time stamps in microseconds, and is INT32");
        assert_eq!(
            told(file.ten_thousandths(0, "n")),
            "x.parquet: column n must be decimals of at most 64 bits with at most 4 decimal places, and is INT32"
        );
        assert_eq!(told(file.integers(0, "list")), "x.parquet: column list is nested");
        assert!(
            told(ParquetFile::read_footer(Bytes::from("no"), "y".to_owned())).starts_with("y is no Parquet file: ")
        );
        assert!(told(ParquetFile::open(Path::new("/nowhere"))).starts_with("/nowhere cannot be opened: "));
    }
}
