//! The places in the journal where a reader begins: now and then a position with the next offset of every partition
//! there. Held in memory and made again at every start. Not exact: a reader scans from the place that it is given.

/// A place in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The position at which a commit begins.
    pub position: u64,
    /// The next offset of every partition there.
    pub ends: Vec<u64>,
}

/// Marks in order, at a distance that grows so that there are never more than the limit.
#[derive(Debug)]
pub struct PositionIndex {
    marks: Vec<IndexEntry>,
    distance_bytes: u64,
    marks_max: usize,
}

impl PositionIndex {
    /// An index with a mark about every so many bytes, and the first where the journal begins.
    pub fn new(front: IndexEntry, distance_bytes: u64, marks_max: usize) -> PositionIndex {
        PositionIndex { marks: vec![front], distance_bytes, marks_max: marks_max.max(2) }
    }

    /// The start of the journal.
    pub fn front(&self) -> &IndexEntry {
        &self.marks[0]
    }

    /// Learns that the journal begins there now, and not before.
    pub fn cut(&mut self, front: IndexEntry) {
        self.marks.retain(|mark| mark.position > front.position);
        self.marks.insert(0, front);
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
        self.marks.push(IndexEntry { position, ends: ends.to_vec() });
    }

    /// The last mark that is not beyond any of the offsets, which are given by the partitions' numbers; the first if all
    /// are.
    pub fn before(&self, starts: impl Iterator<Item = (usize, u64)> + Clone) -> &IndexEntry {
        let beyond = |mark: &IndexEntry| starts.clone().any(|(slot, start)| mark.ends[slot] > start);
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
        let mut index = PositionIndex::new(IndexEntry { position: 0, ends: vec![0, 0] }, 10, 8);
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

    #[test]
    fn a_cut_index_begins_at_the_front() {
        let begin = |at: u64| IndexEntry { position: at * 7, ends: vec![at, at / 2] };
        for front in [1, 50, 400, 999, 2000] {
            let mut index = PositionIndex::new(begin(0), 10, 8);
            (1..1000).for_each(|at| index.note(at * 7, &begin(at).ends));
            index.cut(begin(front));
            assert_eq!(index.front(), &begin(front));
            assert!(index.marks.len() <= 8 && index.marks.is_sorted_by(|one, next| one.position < next.position));
            assert_eq!(index.before([(0, 0)].into_iter()), &begin(front), "all marks are beyond it");
            for start in front..1000 {
                let mark = index.before([(0, start), (1, start / 2)].into_iter());
                assert!(mark.position >= front * 7 && mark.ends[0] <= start && mark.ends[1] <= start / 2);
            }
        }
    }
}
