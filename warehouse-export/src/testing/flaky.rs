//! A place whose process dies at a chosen step: before it, in its midst, or right after it. From then on nothing works,
//! until it is opened again.

use super::home::Home;
use crate::table_store::{Folder, TableStore};
use std::io;
use std::sync::{Arc, Mutex};

/// How the step ends at which the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    Before,
    /// A file is written half; what is all or nothing is not done.
    Midst,
    After,
}

impl Death {
    pub const ALL: [Death; 3] = [Death::Before, Death::Midst, Death::After];
}

pub struct Flaky {
    place: Arc<dyn TableStore>,
    /// The same, if it is a folder, where a file is put in place in two steps.
    folder: Option<Folder>,
    /// How many steps are left, and how the last of them ends; none is left when it is dead.
    left: Mutex<Option<usize>>,
    death: Death,
}

impl Flaky {
    pub fn new(home: &Home, steps: usize, death: Death) -> Flaky {
        let folder = match home {
            Home::Folder(home) => Some(Folder::new(home.path())),
            Home::Objects(_) => None,
        };
        Flaky { place: home.place(), folder, left: Mutex::new(Some(steps)), death }
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

    fn whole<T>(&self, whole: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.step(|| Ok(()), whole)
    }

    fn stage(&self, folder: &Folder, path: &str, bytes: &[u8]) -> io::Result<()> {
        let half = || folder.stage(path, &bytes[..bytes.len() / 2]);
        self.step(half, || folder.stage(path, bytes))
    }

    fn alive<T>(&self, read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.left.lock().unwrap().is_some() { read() } else { Flaky::dead() }
    }
}

impl TableStore for Flaky {
    fn describe(&self, path: &str) -> String {
        self.place.describe(path)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.alive(|| self.place.read(path))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.alive(|| self.place.list(folder))
    }

    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let Some(folder) = &self.folder else { return self.whole(|| self.place.put(path, bytes)) };
        self.stage(folder, path, bytes)?;
        self.whole(|| folder.publish(path))
    }

    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool> {
        let Some(folder) = &self.folder else { return self.whole(|| self.place.put_new(path, bytes)) };
        self.stage(folder, path, bytes)?;
        self.whole(|| folder.publish_new(path))
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        self.whole(|| self.place.delete(path))
    }

    fn clear_staging(&self) -> io::Result<()> {
        self.whole(|| self.place.clear_staging())
    }

    fn is_shared(&self) -> bool {
        self.place.is_shared()
    }
}
