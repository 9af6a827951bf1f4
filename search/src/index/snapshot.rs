//! The index as one commit left it, open for reading: its segments, the row of each document, the mean length of each
//! text. Everything that is read from it depends on the products alone, not on how segments lie: deleted documents
//! count nowhere.

use super::catalogue::{Catalogue, RankedProduct};
use crate::Error;
use crate::document::{Fields, ID, Text};
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::index::SegmentId;
use tantivy::{DocId, Opstamp, Searcher, SegmentReader};

/// The row of each document of a segment; none where it was deleted before.
pub type DocumentRows = Vec<Option<RankedProduct>>;

/// The lengths of each text, summed over the documents of a segment.
type Lengths = [u64; Text::ALL.len()];

/// An open segment.
pub struct Segment {
    /// Its postings.
    pub reader: SegmentReader,
    /// The row of each of its documents.
    pub rows: Arc<DocumentRows>,
}

/// An open commit.
pub struct Snapshot {
    /// The fields.
    pub fields: Fields,
    /// Its segments.
    pub segments: Vec<Segment>,
    /// The number of its products.
    pub products: u64,
    mean_lengths: [f64; Text::ALL.len()],
}

impl Snapshot {
    /// The product of a document.
    pub fn listed(&self, segment: usize, doc: DocId) -> Option<&RankedProduct> {
        self.segments.get(segment)?.rows.get(doc as usize)?.as_ref()
    }

    /// The mean number of words of that text.
    pub fn mean_length(&self, text: Text) -> f64 {
        self.mean_lengths[text as usize]
    }
}

/// The last snapshot's knowledge of segments that are still there.
#[derive(Default)]
pub struct SegmentCache {
    rows: HashMap<SegmentId, Arc<DocumentRows>>,
    lengths: HashMap<(SegmentId, Option<Opstamp>), Lengths>,
}

impl SegmentCache {
    /// Opens a commit. The catalogue must be as that commit has it. `None` if a document has no product there.
    pub fn open(
        &mut self,
        fields: &Fields,
        searcher: &Searcher,
        catalogue: &Catalogue,
    ) -> Result<Option<Snapshot>, Error> {
        let (mut rows, mut lengths) = (HashMap::new(), HashMap::new());
        let (mut segments, mut sums, mut products) = (Vec::new(), Lengths::default(), 0);
        for reader in searcher.segment_readers() {
            let id = reader.segment_id();
            let of_segment = match self.rows.get(&id) {
                Some(known) => Arc::clone(known),
                None => match rows_of(reader, catalogue)? {
                    Some(found) => Arc::new(found),
                    None => return Ok(None),
                },
            };
            let key = (id, reader.delete_opstamp());
            let length = match self.lengths.get(&key) {
                Some(known) => *known,
                None => lengths_of(fields, reader)?,
            };
            for (sum, more) in sums.iter_mut().zip(length) {
                *sum += more;
            }
            products += u64::from(reader.num_docs());
            rows.insert(id, Arc::clone(&of_segment));
            lengths.insert(key, length);
            segments.push(Segment { reader: reader.clone(), rows: of_segment });
        }
        *self = SegmentCache { rows, lengths };
        let mean_lengths = sums.map(|sum| (sum as f64 / products.max(1) as f64).max(f64::MIN_POSITIVE));
        Ok(Some(Snapshot { fields: fields.clone(), segments, products, mean_lengths }))
    }
}

/// The row of each document that is alive.
fn rows_of(reader: &SegmentReader, catalogue: &Catalogue) -> Result<Option<DocumentRows>, Error> {
    let mut rows: DocumentRows = vec![None; reader.max_doc() as usize];
    let Some(ids) = reader.fast_fields().str(ID)? else { return Ok(rows.is_empty().then_some(rows)) };
    let mut places: Vec<(u64, u32)> =
        reader.doc_ids_alive().filter_map(|doc| Some((ids.ords().first(doc)?, doc))).collect();
    let is_whole = places.len() == reader.num_docs() as usize;
    places.sort_unstable();
    let ords: Vec<u64> = places.iter().map(|(ord, _)| *ord).collect();
    let mut at = 0;
    let mut missing = false;
    ids.dictionary().sorted_ords_to_term_cb(&ords, |id| {
        let listed = std::str::from_utf8(id).ok().and_then(|id| catalogue.listed(id));
        missing |= listed.is_none();
        rows[places[at].1 as usize] = listed.cloned();
        at += 1;
    })?;
    Ok((is_whole && !missing && at == places.len()).then_some(rows))
}

fn lengths_of(fields: &Fields, reader: &SegmentReader) -> Result<Lengths, Error> {
    let mut sums = Lengths::default();
    for (text, sum) in Text::ALL.into_iter().zip(&mut sums) {
        let lengths = reader.get_fieldnorms_reader(fields.of(text))?;
        *sum = reader.doc_ids_alive().map(|doc| u64::from(lengths.fieldnorm(doc))).sum();
    }
    Ok(sums)
}
