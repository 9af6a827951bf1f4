//! Where the tables are, as an operator writes it: a URL. Not for talking to what is there.

use std::path::PathBuf;

/// What an address may be, for people.
pub const ALLOWED: &str = if cfg!(feature = "export-cloud") {
    "file:///FOLDER, or like az://shop/tables, abfss://shop@ACCOUNT.dfs.core.windows.net/tables, s3://shop/tables or \
     gs://shop/tables, without ?, #, % and spaces, or nothing"
} else {
    "file:///FOLDER, without ?, #, % and spaces, or nothing; az://, abfss://, s3:// and gs:// need a build with the feature \
     export-cloud"
};

/// The schemes of object stores.
pub(super) const OBJECTS: [&str; 4] = ["az", "abfss", "s3", "gs"];

/// Where the tables are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A URL of an object store.
    Objects(String),
}

impl Address {
    /// Reads a URL; none if it is not [`ALLOWED`].
    pub fn read(url: &str) -> Option<Address> {
        let (scheme, rest) = url.split_once("://")?;
        if rest.contains(|letter: char| letter.is_whitespace() || "?#%".contains(letter)) {
            return None;
        }
        if scheme == "file" {
            return rest.starts_with('/').then(|| Address::Folder(rest.into()));
        }
        let is_whole = !rest.is_empty() && !rest.starts_with('/');
        let is_known = cfg!(feature = "export-cloud") && OBJECTS.contains(&scheme);
        (is_whole && is_known).then(|| Address::Objects(url.to_owned()))
    }
}
