//! A checkpoint of a Delta log: its state as a Parquet file, a row an action, so that readers need not read every commit.

use super::action::{Action, Add, Format, MetaData, Protocol, Remove, Txn};
use crate::parquet_file::batches;
use arrow_array::builder::{ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::collections::BTreeMap;
use std::sync::Arc;

type Map = BTreeMap<String, String>;
type PartitionValues = BTreeMap<String, Option<String>>;

/// The kind of action that a column is of, for each row: there or not.
type Part<A> = fn(&Action) -> Option<&A>;

/// The fields of one kind of action, as they become a column of structs.
struct ActionColumn<'a, A> {
    actions: &'a [Action],
    part: Part<A>,
    fields: Vec<(&'static str, ArrayRef)>,
}

impl<'a, A: 'a> ActionColumn<'a, A> {
    fn new(actions: &'a [Action], part: Part<A>) -> Self {
        ActionColumn { actions, part, fields: Vec::new() }
    }

    fn parts(&self) -> impl Iterator<Item = Option<&'a A>> {
        let part = self.part;
        self.actions.iter().map(part)
    }

    fn field(mut self, name: &'static str, array: impl Array + 'static) -> Self {
        self.fields.push((name, Arc::new(array)));
        self
    }

    fn text(self, name: &'static str, get: fn(&A) -> Option<&str>) -> Self {
        let array = StringArray::from_iter(self.parts().map(|part| part.and_then(get)));
        self.field(name, array)
    }

    fn long(self, name: &'static str, get: fn(&A) -> Option<i64>) -> Self {
        let array = Int64Array::from_iter(self.parts().map(|part| part.and_then(get)));
        self.field(name, array)
    }

    fn integer(self, name: &'static str, get: fn(&A) -> i32) -> Self {
        let array = Int32Array::from_iter(self.parts().map(|part| part.map(get)));
        self.field(name, array)
    }

    fn boolean(self, name: &'static str, get: fn(&A) -> bool) -> Self {
        let array = BooleanArray::from_iter(self.parts().map(|part| part.map(get)));
        self.field(name, array)
    }

    fn map<V>(
        self,
        name: &'static str,
        get: fn(&A) -> Option<&BTreeMap<String, V>>,
        value: fn(&V) -> Option<&str>,
    ) -> Result<Self, ParquetError> {
        let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
        let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        for map in self.parts().map(|part| part.and_then(get)) {
            for (key, of) in map.into_iter().flatten() {
                builder.keys().append_value(key);
                builder.values().append_option(value(of));
            }
            builder.append(map.is_some())?;
        }
        Ok(self.field(name, builder.finish()))
    }

    fn list(self, name: &'static str, get: fn(&A) -> &Vec<String>) -> Self {
        // Readers look for this name: arrow's own is another.
        let mut builder =
            ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
        for part in self.parts() {
            builder.append_option(part.map(|part| get(part).iter().map(Some)));
        }
        self.field(name, builder.finish())
    }

    fn array(self) -> Result<StructArray, ParquetError> {
        let there = NullBuffer::from_iter(self.parts().map(|part| part.is_some()));
        let typed =
            |(name, array): (&'static str, ArrayRef)| (Field::new(name, array.data_type().clone(), true), array);
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = self.fields.into_iter().map(typed).unzip();
        Ok(StructArray::try_new(Fields::from(fields), arrays, Some(there))?)
    }
}

/// Actions that are turned at once: the offsets of an array have 31 bits.
const BATCH_ACTIONS: usize = 1_024;

fn batch(actions: &[Action]) -> Result<RecordBatch, ParquetError> {
    let txn = ActionColumn::<Txn>::new(actions, |action| action.txn.as_ref())
        .text("appId", |txn| Some(&txn.app_id))
        .long("version", |txn| Some(txn.version))
        .long("lastUpdated", |txn| txn.last_updated);
    let add = ActionColumn::<Add>::new(actions, |action| action.add.as_ref())
        .text("path", |add| Some(&add.path))
        .map("partitionValues", |add| Some(&add.partition_values), Option::as_deref)?
        .long("size", |add| Some(add.size))
        .long("modificationTime", |add| Some(add.modification_time))
        .boolean("dataChange", |add| add.data_change)
        .text("stats", |add| add.stats.as_deref());
    let remove = ActionColumn::<Remove>::new(actions, |action| action.remove.as_ref())
        .text("path", |remove| Some(&remove.path))
        .long("deletionTimestamp", |remove| remove.deletion_timestamp)
        .boolean("dataChange", |remove| remove.data_change)
        .boolean("extendedFileMetadata", |remove| remove.extended_file_metadata)
        .map("partitionValues", |remove| remove.partition_values.as_ref(), Option::as_deref)?
        .long("size", |remove| remove.size);
    let format = ActionColumn::<MetaData>::new(actions, |action| action.meta_data.as_ref())
        .text("provider", |meta| Some(&meta.format.provider))
        .map("options", |meta| Some(&meta.format.options), |value| Some(value))?
        .array()?;
    let meta_data = ActionColumn::<MetaData>::new(actions, |action| action.meta_data.as_ref())
        .text("id", |meta| Some(&meta.id))
        .text("name", |meta| meta.name.as_deref())
        .field("format", format)
        .text("schemaString", |meta| Some(&meta.schema_string))
        .list("partitionColumns", |meta| &meta.partition_columns)
        .map("configuration", |meta| Some(&meta.configuration), |value| Some(value))?
        .long("createdTime", |meta| meta.created_time);
    let protocol = ActionColumn::<Protocol>::new(actions, |action| action.protocol.as_ref())
        .integer("minReaderVersion", |protocol| protocol.min_reader_version)
        .integer("minWriterVersion", |protocol| protocol.min_writer_version);
    let columns = [
        ("txn", txn.array()?),
        ("add", add.array()?),
        ("remove", remove.array()?),
        ("metaData", meta_data.array()?),
        ("protocol", protocol.array()?),
    ];
    let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let arrays = columns.into_iter().map(|(_, array)| Arc::new(array) as ArrayRef).collect();
    RecordBatch::try_new(schema, arrays).map_err(ParquetError::from)
}

/// The file of a state.
pub fn write(actions: &[Action]) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?)).build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch(&[])?.schema(), options)?;
    for actions in actions.chunks(BATCH_ACTIONS) {
        writer.write(&batch(actions)?)?;
    }
    writer.into_inner()
}

/// One kind of action in a batch that is read.
struct Structs<'a>(&'a StructArray);

impl<'a> Structs<'a> {
    fn of(batch: &'a RecordBatch, name: &str) -> Option<Structs<'a>> {
        batch.column_by_name(name)?.as_struct_opt().map(Structs)
    }

    fn field(&self, name: &str, at: usize) -> Option<&'a ArrayRef> {
        self.0.column_by_name(name).filter(|array| array.is_valid(at))
    }

    fn text(&self, name: &str, at: usize) -> Option<String> {
        Some(self.field(name, at)?.as_string_opt::<i32>()?.value(at).to_owned())
    }

    fn long(&self, name: &str, at: usize) -> Option<i64> {
        Some(self.field(name, at)?.as_primitive_opt::<Int64Type>()?.value(at))
    }

    fn integer(&self, name: &str, at: usize) -> Option<i32> {
        Some(self.field(name, at)?.as_primitive_opt::<Int32Type>()?.value(at))
    }

    fn boolean(&self, name: &str, at: usize) -> Option<bool> {
        Some(self.field(name, at)?.as_boolean_opt()?.value(at))
    }

    fn map(&self, name: &str, at: usize) -> Option<PartitionValues> {
        let entries = self.field(name, at)?.as_map_opt()?.value(at);
        let (keys, values) = (entries.column(0).as_string_opt::<i32>()?, entries.column(1).as_string_opt::<i32>()?);
        let entry = |at| (keys.value(at).to_owned(), values.is_valid(at).then(|| values.value(at).to_owned()));
        Some((0..entries.len()).map(entry).collect())
    }

    fn full_map(&self, name: &str, at: usize) -> Map {
        self.map(name, at).unwrap_or_default().into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    fn list(&self, name: &str, at: usize) -> Option<Vec<String>> {
        let items = self.field(name, at)?.as_list_opt::<i32>()?.value(at);
        Some(items.as_string_opt::<i32>()?.iter().flatten().map(str::to_owned).collect())
    }
}

fn txn(of: &Structs<'_>, at: usize) -> Option<Action> {
    let (app_id, version) = (of.text("appId", at)?, of.long("version", at)?);
    Some(Txn { app_id, version, last_updated: of.long("lastUpdated", at) }.into())
}

fn add(of: &Structs<'_>, at: usize) -> Option<Action> {
    let add = Add {
        path: of.text("path", at)?,
        partition_values: of.map("partitionValues", at).unwrap_or_default(),
        size: of.long("size", at)?,
        modification_time: of.long("modificationTime", at)?,
        data_change: of.boolean("dataChange", at).unwrap_or_default(),
        stats: of.text("stats", at),
    };
    Some(add.into())
}

fn remove(of: &Structs<'_>, at: usize) -> Option<Action> {
    let remove = Remove {
        path: of.text("path", at)?,
        deletion_timestamp: of.long("deletionTimestamp", at),
        data_change: of.boolean("dataChange", at).unwrap_or_default(),
        extended_file_metadata: of.boolean("extendedFileMetadata", at).unwrap_or_default(),
        partition_values: of.map("partitionValues", at),
        size: of.long("size", at),
    };
    Some(remove.into())
}

fn meta_data(of: &Structs<'_>, at: usize) -> Option<Action> {
    let format = Structs(of.field("format", at)?.as_struct_opt()?);
    let meta_data = MetaData {
        id: of.text("id", at)?,
        name: of.text("name", at),
        format: Format { provider: format.text("provider", at)?, options: format.full_map("options", at) },
        schema_string: of.text("schemaString", at)?,
        partition_columns: of.list("partitionColumns", at)?,
        configuration: of.full_map("configuration", at),
        created_time: of.long("createdTime", at),
    };
    Some(meta_data.into())
}

fn protocol(of: &Structs<'_>, at: usize) -> Option<Action> {
    let min_reader_version = of.integer("minReaderVersion", at)?;
    Some(Protocol { min_reader_version, min_writer_version: of.integer("minWriterVersion", at)? }.into())
}

/// The actions of a checkpoint, ours or another writer's.
pub fn read(bytes: Vec<u8>) -> Result<Vec<Action>, String> {
    type Read = fn(&Structs<'_>, usize) -> Option<Action>;
    const KINDS: [(&str, Read); 5] =
        [("protocol", protocol), ("metaData", meta_data), ("txn", txn), ("remove", remove), ("add", add)];
    let mut actions = Vec::new();
    for batch in batches(bytes).map_err(|error| error.to_string())? {
        for (name, read) in KINDS {
            let Some(structs) = Structs::of(&batch, name) else { continue };
            for at in (0..batch.num_rows()).filter(|at| structs.0.is_valid(*at)) {
                actions.push(read(&structs, at).ok_or_else(|| format!("row {at} holds no whole {name}"))?);
            }
        }
    }
    Ok(actions)
}
