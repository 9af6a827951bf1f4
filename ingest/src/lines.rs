//! A file of lines, each with its checksum, read with one buffer however long the file is. Not for what is in them.

use crate::log::storage::{StorageFile, read_full};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;

/// The checksum in hex, and a space.
const HEAD_BYTES: usize = 9;
/// Bytes read at once, unless a line is longer.
const WINDOW_BYTES: usize = 64 << 10;

/// Goes over the lines of a file.
pub struct Lines<'a> {
    file: &'a dyn StorageFile,
    window: Vec<u8>,
    /// The part of the window that was given.
    given: usize,
    /// The window's beginning.
    from: u64,
    /// The file's end.
    end: u64,
}

impl<'a> Lines<'a> {
    /// From a place where a line begins.
    pub const fn new(file: &'a dyn StorageFile, from: u64, end: u64) -> Lines<'a> {
        Lines { file, window: Vec::new(), given: 0, from, end }
    }

    /// The place where the next line begins.
    pub const fn at(&self) -> u64 {
        self.from + self.given as u64
    }

    /// The next line with its end. None at the end of the file, or where the last line has no end.
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let mut looked = self.given;
        loop {
            if let Some(length) = self.window[looked..].iter().position(|byte| *byte == b'\n') {
                let line = self.given..looked + length + 1;
                self.given = line.end;
                return Ok(Some(&self.window[line]));
            }
            if self.from + self.window.len() as u64 >= self.end {
                return Ok(None);
            }
            looked = self.window.len() - self.given;
            self.more()?;
        }
    }

    /// Lets go of what was given, and reads on.
    fn more(&mut self) -> io::Result<()> {
        self.window.drain(..self.given);
        self.from += self.given as u64;
        self.given = 0;
        let held = self.window.len();
        let left = self.end - self.from - held as u64;
        // A line that is longer than the window doubles it.
        let more = usize::try_from(left).unwrap_or(usize::MAX).min(held.max(WINDOW_BYTES));
        self.window.resize(held + more, 0);
        let read = read_full(self.file, &mut self.window[held..], self.from + held as u64)?;
        if read < more {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// A line of these entries.
pub fn line(entries: &[impl Serialize]) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_string(entries)?;
    Ok(format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes())).into_bytes())
}

/// The entries of a line, or what is wrong with it.
pub fn entries<T: DeserializeOwned>(line: &[u8]) -> Result<Vec<T>, String> {
    let (head, json) = line.split_at_checked(HEAD_BYTES).ok_or("a line is cut short")?;
    let json = json.strip_suffix(b"\n").ok_or("a line is cut short")?;
    let checksum = std::str::from_utf8(head).ok().and_then(|head| u32::from_str_radix(head.trim_end(), 16).ok());
    if checksum != Some(crc32c::crc32c(json)) {
        return Err("the checksum is wrong".to_owned());
    }
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::storage::{Storage, write_all};
    use crate::testing::Disk;

    #[test]
    fn lines_of_any_length_are_read_and_the_last_needs_its_end() {
        let disk = Disk::default();
        let file = disk.create("lines").unwrap();
        let of = |length: usize| [vec![b'x'; length], b"\n".to_vec()].concat();
        let expected: Vec<Vec<u8>> = [0, 5, WINDOW_BYTES - 1, WINDOW_BYTES, 3 * WINDOW_BYTES, 1].map(of).to_vec();
        let mut bytes = expected.concat();
        bytes.extend(b"half");
        write_all(&*file, &bytes, 0).unwrap();
        let mut lines = Lines::new(&*file, 0, bytes.len() as u64);
        let (mut found, mut at) = (Vec::new(), 0);
        while let Some(line) = lines.next().unwrap() {
            at += line.len() as u64;
            found.push(line.to_vec());
        }
        assert_eq!((found, lines.at()), (expected, at));
    }
}
