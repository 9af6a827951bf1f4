//! The stable codes of refusals, and what a refusal carries. Not for HTTP statuses: those are the serving room's.

use crate::engine::encoding::{self, DecodeError, Encoding, Reader, encode_struct};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The errors that a refusal names.
pub const ERRORS_MAX: usize = 100;

macro_rules! codes {
    ($($variant:ident $text:literal $title:literal,)*) => {
        /// Why a command was refused. The texts are part of the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $(#[doc = $title] #[serde(rename = $text)] $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }

            /// A short sentence for people.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)* }
            }
        }
    };
}

codes! {
    Invalid "invalid" "A value is outside its bounds",
    CommandIdReused "command_id_reused" "The command id was used for another command",
    AlreadyExists "already_exists" "The id is taken",
    NotFound "not_found" "There is no such thing",
    UnknownSku "unknown_sku" "The SKU is not in the catalogue",
    NotSold "not_sold" "The SKU is no longer sold",
    SkuTaken "sku_taken" "The SKU belongs to another product",
    UnknownPayment "unknown_payment" "The order has no such payment",
    InvalidTransition "invalid_transition" "The order's state does not allow this",
    CurrencyMismatch "currency_mismatch" "A price or amount is in another currency",
    AmountMismatch "amount_mismatch" "The amount is not the one expected",
    OverReturn "over_return" "More would be returned than was sold",
    OverRefund "over_refund" "More would be paid back than is left",
    Overflow "overflow" "An amount does not fit 64 bits",
    OutOfStock "out_of_stock" "There is not enough stock for a line",
    InsufficientStock "insufficient_stock" "There is not enough stock for this movement",
    TooLarge "too_large" "A row or an event would be too large",
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was wrong, with a JSON pointer into the command's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The place: `/lines/0`, or empty for the whole.
    pub pointer: Cow<'static, str>,
    /// The kind.
    pub code: Code,
    /// For people: what was wrong and what is allowed.
    pub detail: Cow<'static, str>,
}

/// A refused command: the code that decides, and everything that was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The code of the outcome.
    pub code: Code,
    /// The details, never empty; the first [`ERRORS_MAX`] of them.
    pub errors: Vec<FieldError>,
}

impl Rejection {
    /// A refusal for one reason.
    pub fn new(code: Code, pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Rejection {
        Rejection { code, errors: vec![FieldError { pointer: pointer.into(), code, detail: detail.into() }] }
    }

    /// A value out of bounds at `pointer`.
    pub fn invalid(pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Rejection {
        Rejection::new(Code::Invalid, pointer, detail)
    }

    /// Several problems; the first gives the code. `None` if there are none.
    pub fn of(mut errors: Vec<FieldError>) -> Option<Rejection> {
        let code = errors.first()?.code;
        errors.truncate(ERRORS_MAX);
        Some(Rejection { code, errors })
    }
}

impl Encoding for Code {
    fn store(&self, out: &mut Vec<u8>) {
        encoding::store_text(self.as_str(), out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let text = encoding::load_text(from)?;
        Code::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(DecodeError("no such code"))
    }
}

encode_struct! {
    FieldError { pointer, code, detail }
}
