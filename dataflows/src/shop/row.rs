//! Rows, and the views that hold them. Each `Serialize` is the view's JSON, fields in the contract's order; what
//! outsiders do not see (deadlines, locations taken, fingerprints) is in the row but not in its JSON.

use crate::shop::CachedHash;
use serde::Serialize;
use smol_str::SmolStr;
use std::borrow::Cow;

/// One key's answer in a view.
pub trait Row: Serialize + std::fmt::Debug + PartialEq + Send + Sync + 'static {
    /// The view that holds such rows.
    const VIEW: View;

    /// Its key: an id, or the compact JSON array of several parts.
    fn key(&self) -> Cow<'_, str>;

    /// The key as a text of its own. Ids are shared with the row, not copied.
    fn key_text(&self) -> SmolStr {
        SmolStr::from(self.key())
    }

    /// The place of its hash, for rows that change often.
    fn memo(&self) -> Option<&CachedHash> {
        None
    }

    /// Its value: the bytes that are published, and that the digest covers.
    fn value(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        serde_json::to_writer(&mut bytes, self).expect("a row has only texts, whole numbers and lists");
        bytes
    }
}

/// A row of a table: kept by the decider under one id.
pub trait TableRow: Row {
    /// The id.
    fn id(&self) -> &str;
}

macro_rules! views {
    ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
        /// The views, in the order of their names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum View {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl View {
            /// Every view.
            pub const ALL: &[View] = &[$(View::$variant,)*];

            /// The name that outsiders use.
            pub const fn name(self) -> &'static str {
                match self { $(View::$variant => $name,)* }
            }

            /// The name of the topic of its changes, without the deployment's prefix.
            pub const fn topic(self) -> &'static str {
                match self { $(View::$variant => concat!("views.", $name),)* }
            }
        }
    };
}

crate::for_each_row!(views views);

impl View {
    /// The view of that name.
    pub fn from_name(name: &str) -> Option<View> {
        View::ALL.iter().copied().find(|view| view.name() == name)
    }
}

/// The key of several parts: their compact JSON array.
pub(crate) fn json_key(parts: &impl Serialize) -> Cow<'static, str> {
    Cow::Owned(serde_json::to_string(parts).expect("a key has only texts and nulls"))
}
