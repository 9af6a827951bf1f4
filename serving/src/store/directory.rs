//! The directory of a view: which chunk to look in for a key, as a small copy-on-write B+tree.
//! A hint only: an old copy leads to a chunk at or left of the right one. Not for rows.

use std::borrow::Borrow;
use std::ops::Bound;
use std::sync::Arc;

use arrayvec::ArrayVec;

/// Children of a node at most.
const KIDS_MAX: usize = 64;

/// A node, the root included. The kid at `i` has the keys from `keys[i - 1]` up to `keys[i]`.
#[derive(Clone)]
pub(super) struct Directory<K, T> {
    keys: ArrayVec<K, KIDS_MAX>,
    kids: Kids<K, T>,
}

#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "both are full of pointers; the lint cannot know T")]
enum Kids<K, T> {
    Leaf(ArrayVec<T, KIDS_MAX>),
    Inner(ArrayVec<Arc<Directory<K, T>>, KIDS_MAX>),
}

/// The work left to do above a node from which an entry was removed.
enum Removal {
    Nothing,
    /// The entry was the node's last, so the next node now starts where the entry did.
    NextStartsEarlier,
    /// The node is empty and must go too.
    Node,
}

impl<K: Ord + Clone, T: Clone> Directory<K, T> {
    /// A directory in which every key leads to `only`.
    pub(super) fn new(only: T) -> Self {
        let kids = Kids::Leaf(ArrayVec::from_iter([only]));
        Self { keys: ArrayVec::new(), kids }
    }

    /// The entry whose keys include `key`.
    pub(super) fn find<Q>(&self, key: &Q) -> &T
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.descend(|start| start.borrow() <= key)
    }

    /// The entry with the least keys.
    pub(super) fn first(&self) -> &T {
        self.descend(|_| false)
    }

    /// The last entry that starts within the bound.
    pub(super) fn last(&self, to: Bound<&K>) -> &T {
        match to {
            Bound::Unbounded => self.descend(|_| true),
            Bound::Included(to) => self.descend(|start| start <= to),
            Bound::Excluded(to) => self.descend(|start| start < to),
        }
    }

    fn descend(&self, starts_before: impl Fn(&K) -> bool) -> &T {
        let mut node = self;
        loop {
            let at = node.keys.partition_point(&starts_before);
            match &node.kids {
                Kids::Leaf(kids) => return &kids[at],
                Kids::Inner(kids) => node = &kids[at],
            }
        }
    }

    /// Adds an entry that has the keys from `start` on, up to the next entry.
    pub(super) fn insert(root: &mut Arc<Self>, start: K, entry: T) {
        if let Some((upper_start, upper)) = Arc::make_mut(root).insert_below(start, entry) {
            let kids = Kids::Inner(ArrayVec::from_iter([Arc::clone(root), Arc::new(upper)]));
            *root = Arc::new(Self { keys: ArrayVec::from_iter([upper_start]), kids });
        }
    }

    fn insert_below(&mut self, start: K, entry: T) -> Option<(K, Self)> {
        let at = self.keys.partition_point(|key| *key <= start);
        match &mut self.kids {
            Kids::Leaf(kids) => {
                let (start, keys, kids) = insert_kid(&mut self.keys, kids, at, start, entry)?;
                Some((start, Self { keys, kids: Kids::Leaf(kids) }))
            }
            Kids::Inner(kids) => {
                let (start, upper) = Arc::make_mut(&mut kids[at]).insert_below(start, entry)?;
                let upper = Arc::new(upper);
                let (start, keys, kids) = insert_kid(&mut self.keys, kids, at, start, upper)?;
                Some((start, Self { keys, kids: Kids::Inner(kids) }))
            }
        }
    }

    /// Removes the entry that starts at exactly `start`; its keys go to the next entry. It must
    /// be neither the first nor the last.
    pub(super) fn remove(root: &mut Arc<Self>, start: &K) {
        match Arc::make_mut(root).remove_below(start) {
            Removal::Nothing => {}
            Removal::NextStartsEarlier | Removal::Node => {
                unreachable!("the entry was not the directory's last, so a node had its next")
            }
        }
        while let Kids::Inner(kids) = &root.kids
            && kids.len() == 1
        {
            *root = Arc::clone(&kids[0]);
        }
    }

    fn remove_below(&mut self, start: &K) -> Removal {
        let at = self.keys.partition_point(|key| key <= start);
        let kids = match &mut self.kids {
            Kids::Leaf(kids) => return remove_kid(&mut self.keys, kids, at),
            Kids::Inner(kids) => kids,
        };
        match Arc::make_mut(&mut kids[at]).remove_below(start) {
            Removal::Nothing => Removal::Nothing,
            Removal::Node => remove_kid(&mut self.keys, kids, at),
            Removal::NextStartsEarlier => match self.keys.get_mut(at) {
                Some(next_start) => {
                    next_start.clone_from(start);
                    Removal::Nothing
                }
                None => Removal::NextStartsEarlier,
            },
        }
    }
}

#[cfg(test)]
impl<K: Ord + Clone, T: Clone> Directory<K, T> {
    /// All entries with where they start; the first starts nowhere.
    pub(super) fn entries(&self) -> Vec<(Option<K>, T)> {
        let starts = std::iter::once(None).chain(self.keys.iter().cloned().map(Some));
        match &self.kids {
            Kids::Leaf(kids) => starts.zip(kids.iter().cloned()).collect(),
            Kids::Inner(kids) => starts
                .zip(kids)
                .flat_map(|(start, kid)| {
                    let mut below = kid.entries();
                    below[0].0 = start;
                    below
                })
                .collect(),
        }
    }
}

/// The upper part of a node that was split: where it starts, its keys and kids.
type Upper<K, C> = (K, ArrayVec<K, KIDS_MAX>, ArrayVec<C, KIDS_MAX>);

/// Inserts a kid right of the one at `at`; splits off the upper part of a full node before.
fn insert_kid<K, C>(
    keys: &mut ArrayVec<K, KIDS_MAX>,
    kids: &mut ArrayVec<C, KIDS_MAX>,
    at: usize,
    start: K,
    kid: C,
) -> Option<Upper<K, C>> {
    if !kids.is_full() {
        keys.insert(at, start);
        kids.insert(at + 1, kid);
        return None;
    }
    // A node that is appended to stays full, as chunks do.
    let cut = if at + 1 == KIDS_MAX { KIDS_MAX - 1 } else { KIDS_MAX / 2 };
    let mut upper_keys: ArrayVec<K, KIDS_MAX> = keys.drain(cut..).collect();
    let mut upper_kids: ArrayVec<C, KIDS_MAX> = kids.drain(cut..).collect();
    let upper_start = keys.pop().expect("a full node has a key before each kid but the first");
    if at < cut {
        keys.insert(at, start);
        kids.insert(at + 1, kid);
    } else {
        upper_keys.insert(at - cut, start);
        upper_kids.insert(at - cut + 1, kid);
    }
    Some((upper_start, upper_keys, upper_kids))
}

/// Removes a kid so that its keys go to the next one.
fn remove_kid<K, C>(keys: &mut ArrayVec<K, KIDS_MAX>, kids: &mut ArrayVec<C, KIDS_MAX>, at: usize) -> Removal {
    kids.remove(at);
    if at < keys.len() {
        keys.remove(at);
        Removal::Nothing
    } else if keys.pop().is_some() {
        Removal::NextStartsEarlier
    } else {
        Removal::Node
    }
}
