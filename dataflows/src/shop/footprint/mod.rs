//! The bytes of memory that a row, an event, an input takes, about: what budgets are counted in. Not what they take in
//! the log or in an answer. A text that several rows share counts for each of them.

use crate::contract::code::FieldError;
use smol_str::SmolStr;

/// The cost of an allocation beside its bytes.
pub(crate) const ALLOCATION_BYTES: usize = 16;
/// The bytes of an entry of a map of texts, its texts left out.
pub(crate) const ENTRY_BYTES: usize = 64;

/// A value that takes memory.
pub trait Footprint {
    /// The bytes that it takes on the heap, itself left out.
    fn heap_bytes(&self) -> usize;

    /// The bytes that it takes as a whole.
    fn bytes(&self) -> usize
    where
        Self: Sized,
    {
        size_of::<Self>() + ALLOCATION_BYTES + self.heap_bytes()
    }
}

/// A text; short ones are inline.
pub(crate) fn text(text: &SmolStr) -> usize {
    if text.is_heap_allocated() { text.len() + ALLOCATION_BYTES } else { 0 }
}

/// A text that may be absent.
pub(crate) fn maybe(text_of: Option<&SmolStr>) -> usize {
    text_of.map_or(0, text)
}

/// The elements of a list, and what each has on the heap.
pub(crate) fn list<T>(list: &[T], each: impl Fn(&T) -> usize) -> usize {
    size_of_val(list) + list.iter().map(each).sum::<usize>()
}

/// The bytes of a list of faults.
pub(crate) fn problems(all: &[FieldError]) -> usize {
    list(all, |problem| problem.pointer.len() + problem.detail.len())
}

#[cfg(test)]
mod tests;
