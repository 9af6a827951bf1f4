//! A folder whose process dies at a chosen step: before it, in its midst, or right after it. From then on nothing works,
//! until it is opened anew.

use crate::place::{Folder, Place};
use std::io;
use std::path::Path;
use std::sync::Mutex;

/// How the step ends at which the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    Before,
    /// A file is written half; what is all or nothing is not done.
    Midst,
    After,
}

pub struct Flaky {
    folder: Folder,
    /// How many steps are left, and how the last of them ends; none is left when it is dead.
    left: Mutex<Option<usize>>,
    death: Death,
}

impl Flaky {
    pub fn new(root: &Path, steps: usize, death: Death) -> Flaky {
        Flaky { folder: Folder::new(root), left: Mutex::new(Some(steps)), death }
    }

    fn dead<T>() -> io::Result<T> {
        Err(io::Error::other("the process has died"))
    }

    fn step<T>(&self, half: impl FnOnce() -> io::Result<()>, whole: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let mut left = self.left.lock().unwrap();
        match *left {
            None => Flaky::dead(),
            Some(0) => {
                *left = None;
                match self.death {
                    Death::Before => {}
                    Death::Midst => half()?,
                    Death::After => whole().map(drop)?,
                }
                Flaky::dead()
            }
            Some(steps) => {
                *left = Some(steps - 1);
                whole()
            }
        }
    }

    fn alive<T>(&self, read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.left.lock().unwrap().is_some() { read() } else { Flaky::dead() }
    }
}

impl Place for Flaky {
    fn describe(&self, path: &str) -> String {
        self.folder.describe(path)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.alive(|| self.folder.read(path))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.alive(|| self.folder.list(folder))
    }

    fn stage(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let half = || self.folder.stage(path, &bytes[..bytes.len() / 2]);
        self.step(half, || self.folder.stage(path, bytes))
    }

    fn publish(&self, path: &str) -> io::Result<()> {
        self.step(|| Ok(()), || self.folder.publish(path))
    }

    fn publish_new(&self, path: &str) -> io::Result<bool> {
        self.step(|| Ok(()), || self.folder.publish_new(path))
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        self.step(|| Ok(()), || self.folder.delete(path))
    }

    fn clear_staging(&self) -> io::Result<()> {
        self.step(|| Ok(()), || self.folder.clear_staging())
    }
}
