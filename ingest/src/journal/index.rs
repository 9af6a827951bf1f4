//! Where in the journal a reader begins: now and then a position with the next offset of every partition there. Held
//! in memory and made again at every start. Not exact: a reader scans from the place that it is given.

/// A place in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where a commit begins.
    pub position: u64,
    /// The next offset of every partition there.
    pub ends: Vec<u64>,
}

/// Marks in order, at a distance that grows so that there are never more than the limit.
#[derive(Debug)]
pub struct Index {
    marks: Vec<Mark>,
    distance_bytes: u64,
    marks_max: usize,
}

impl Index {
    /// An index with a mark about every so many bytes, and the first at the journal's beginning.
    pub fn new(partitions: usize, distance_bytes: u64, marks_max: usize) -> Index {
        let first = Mark { position: 0, ends: vec![0; partitions] };
        Index { marks: vec![first], distance_bytes, marks_max: marks_max.max(2) }
    }

    /// Learns that a commit begins at `position`, where partitions end so.
    pub fn note(&mut self, position: u64, ends: &[u64]) {
        let last = self.marks.last().map_or(0, |mark| mark.position);
        if position < last.saturating_add(self.distance_bytes) {
            return;
        }
        if self.marks.len() == self.marks_max {
            let mut keep = false;
            self.marks.retain(|_| {
                keep = !keep;
                keep
            });
            self.distance_bytes *= 2;
        }
        self.marks.push(Mark { position, ends: ends.to_vec() });
    }

    /// The last mark that is not beyond any of the offsets, which are given by the partitions' numbers.
    pub fn before(&self, starts: impl Iterator<Item = (usize, u64)> + Clone) -> &Mark {
        let beyond = |mark: &Mark| starts.clone().any(|(slot, start)| mark.ends[slot] > start);
        // Ends only rise along the journal, so the marks that are not beyond come first.
        let count = self.marks.partition_point(|mark| !beyond(mark));
        &self.marks[count.saturating_sub(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_before_an_offset_is_found_however_few_are_kept() {
        let mut index = Index::new(2, 10, 8);
        for at in 1..1000 {
            index.note(at * 7, &[at, at / 2]);
            assert!(index.marks.len() <= 8);
        }
        for start in 0..1000 {
            let mark = index.before([(0, start), (1, start / 2)].into_iter());
            assert!(mark.ends[0] <= start && mark.ends[1] <= start / 2);
        }
        assert_eq!(index.before([(0, 0)].into_iter()).position, 0);
        let last = index.marks.last().cloned().unwrap();
        assert_eq!(index.before([(0, 999), (1, 999)].into_iter()), &last);
        assert!(last.position > 5000);
    }
}
