//! The indexed parts of a product, and their fields: the schema and the document. Not for prices and stock: those are
//! the store's, at the epoch of the answer.

use crate::text::{Word, words};
use dataflows::shop::catalogue::Product;
use smol_str::SmolStr;
use std::collections::BTreeSet;
use tantivy::TantivyDocument;
use tantivy::schema::{FAST, Field, IndexRecordOption, STRING, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{PreTokenizedString, Token};

/// The form of the index. Raise it whenever a product would be indexed differently: the index is then rebuilt.
/// `document/tests.rs` fails if the words of a known product change and this does not.
pub const FORMAT: u32 = 1;

/// The bytes of a product's texts that are indexed.
const TEXT_BYTES_MAX: usize = 32 << 10;

/// Shorter numbers are measures, longer ones are bar codes.
const CODE_DIGITS_MIN: usize = 8;

/// The texts of a product, each in a field of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Text {
    /// Its title; variants' titles too.
    Title,
    /// Its brand.
    Brand,
    /// Its category path.
    Category,
    /// Ids and SKUs.
    Code,
    /// The values of its attributes.
    Attributes,
    /// Its description.
    Description,
}

impl Text {
    /// Every text.
    pub const ALL: [Text; 6] =
        [Text::Title, Text::Brand, Text::Category, Text::Code, Text::Attributes, Text::Description];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Text::Title => "title",
            Text::Brand => "brand",
            Text::Category => "category",
            Text::Code => "code",
            Text::Attributes => "attributes",
            Text::Description => "description",
        }
    }
}

/// The fields of the index.
#[derive(Clone, Debug)]
pub struct Fields {
    /// All of them.
    pub schema: Schema,
    /// The product's id.
    pub id: Field,
    /// The field of each text.
    texts: [Field; Text::ALL.len()],
}

/// The name of the field with the id.
pub const ID: &str = "id";

impl Fields {
    /// The fields.
    pub fn new() -> Fields {
        let mut schema = Schema::builder();
        let id = schema.add_text_field(ID, STRING | FAST);
        let indexing = TextFieldIndexing::default().set_index_option(IndexRecordOption::WithFreqsAndPositions);
        let options = TextOptions::default().set_indexing_options(indexing);
        let texts = Text::ALL.map(|text| schema.add_text_field(text.name(), options.clone()));
        Fields { schema: schema.build(), id, texts }
    }

    /// The field of a text.
    pub fn of(&self, text: Text) -> Field {
        self.texts[text as usize]
    }

    /// A product as a document.
    pub fn document(&self, product: &Product) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_text(self.id, &product.product_id);
        let mut left = TEXT_BYTES_MAX;
        for text in Text::ALL {
            for part in parts(product, text) {
                if let Some(rest) = left.checked_sub(part.len()) {
                    left = rest;
                    document.add_pre_tokenized_text(self.of(text), tokens(words(part)));
                }
            }
        }
        document
    }
}

/// The parts of a text, in order.
pub fn parts(product: &Product, text: Text) -> Vec<&str> {
    let Product {
        product_id,
        title,
        description,
        brand,
        category,
        attributes,
        archived: _,
        variants,
        left_out: _,
        category_path: _,
    } = product;
    match text {
        Text::Title => {
            let titles = variants.iter().filter_map(|variant| variant.title.as_deref());
            // A variant's title often repeats the product's.
            let titles = titles.filter(|variant| *variant != title).collect::<BTreeSet<_>>();
            std::iter::once(title.as_str()).chain(titles).collect()
        }
        Text::Brand => brand.iter().map(SmolStr::as_str).collect(),
        Text::Category => category.iter().map(SmolStr::as_str).collect(),
        Text::Code => {
            let skus = variants.iter().map(|variant| variant.sku.as_str()).filter(|sku| *sku != product_id);
            std::iter::once(product_id.as_str()).chain(skus).collect()
        }
        Text::Attributes => attributes.values().map(SmolStr::as_str).filter(|value| is_telling(value)).collect(),
        Text::Description => description.iter().map(SmolStr::as_str).collect(),
    }
}

/// Returns true if people look for such a value: a text or a bar code, not a bare number, a date, yes or no.
fn is_telling(value: &str) -> bool {
    let is_code = value.len() >= CODE_DIGITS_MIN && value.bytes().all(|byte| byte.is_ascii_digit());
    let is_bare = value.bytes().all(|byte| byte.is_ascii_digit() || b".,:-+TZ".contains(&byte));
    is_code || !is_bare && !["true", "false", "yes", "no"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn tokens(words: Vec<Word>) -> PreTokenizedString {
    let token = |word: Word| Token {
        offset_from: word.from,
        offset_to: word.to,
        position: word.position as usize,
        text: word.text,
        position_length: 1,
    };
    PreTokenizedString { text: String::new(), tokens: words.into_iter().map(token).collect() }
}

#[cfg(test)]
mod tests;
