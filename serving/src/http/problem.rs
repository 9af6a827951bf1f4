//! Problems: every answer that is not what was asked for, as `application/problem+json`. The list of codes and their
//! statuses is here and nowhere else.

use super::answer::{ApiResponse, ContentType};
use axum::http::StatusCode;
use dataflows::contract::code::{Code, FieldError as Detail};
use dataflows::contract::epoch::Epoch;
use dataflows::shop::command::CommandReadError;
use serde::Serialize;
use std::borrow::Cow;

macro_rules! faults {
    ($($variant:ident $text:literal $status:literal $title:literal,)*) => {
        /// The errors of a request before or beside a decision.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ApiErrorKind {
            $(#[doc = $title] $variant,)*
        }

        impl ApiErrorKind {
            /// Every fault.
            pub const ALL: &[ApiErrorKind] = &[$(ApiErrorKind::$variant,)*];

            /// The code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(ApiErrorKind::$variant => $text,)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(ApiErrorKind::$variant => $status,)* }
            }

            /// A short sentence for people.
            pub const fn title(self) -> &'static str {
                match self { $(ApiErrorKind::$variant => $title,)* }
            }
        }
    };
}

faults! {
    Malformed "malformed" 400 "The request cannot be read",
    AsOfWithMinEpoch "as_of_with_min_epoch" 400 "An epoch cannot be both asked for and waited for",
    BadCursor "bad_cursor" 400 "The cursor does not belong to this list",
    OriginRefused "origin_refused" 403 "A page of another origin may not ask for this",
    EpochUnknown "epoch_unknown" 404 "The epoch has not come yet",
    MethodNotAllowed "method_not_allowed" 405 "The route does not take this method",
    EpochForgotten "epoch_forgotten" 410 "The epoch is no longer kept",
    TooLarge "too_large" 413 "The request is too large",
    UriTooLong "uri_too_long" 414 "The target of the request is too long",
    UnsupportedMediaType "unsupported_media_type" 415 "The body is of a type that is not taken here",
    Misdirected "misdirected" 421 "This node does not answer for that host",
    HeadersTooLarge "headers_too_large" 431 "The head of the request is too large",
    Internal "internal" 500 "Something is wrong inside",
    NotYetFresh "not_yet_fresh" 503 "The epoch has not come in time",
    LogUnavailable "log_unavailable" 503 "The log cannot be written now",
    Overloaded "overloaded" 503 "The node is busy",
    StorageFull "storage_full" 503 "There is no room for the log",
    Starting "starting" 503 "The node is starting",
}

/// The HTTP status of a refusal. An unknown SKU is not found where the path names it.
pub const fn status_of(code: Code, path_names_sku: bool) -> u16 {
    match code {
        Code::NotFound => 404,
        Code::UnknownSku if path_names_sku => 404,
        Code::AlreadyExists | Code::SkuTaken | Code::InvalidTransition | Code::OutOfStock | Code::InsufficientStock => {
            409
        }
        Code::TooLarge => 413,
        Code::Invalid
        | Code::CommandIdReused
        | Code::UnknownSku
        | Code::NotSold
        | Code::UnknownPayment
        | Code::CurrencyMismatch
        | Code::AmountMismatch
        | Code::OverReturn
        | Code::OverRefund
        | Code::Overflow => 422,
    }
}

/// An answer that describes an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: &'static str,
    title: &'static str,
    /// For people: what went wrong, and what can be done.
    pub detail: Cow<'static, str>,
    /// Each thing that is wrong.
    pub errors: Vec<Detail>,
    /// The epoch that this is exact for; the newest, if it depends on none.
    pub epoch: Option<Epoch>,
    retry_after_s: Option<u32>,
}

#[derive(Serialize)]
struct ProblemJson<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    errors: &'a [Detail],
}

impl Problem {
    /// A fault of the request, or of the node.
    pub fn new(fault: ApiErrorKind, detail: impl Into<Cow<'static, str>>) -> Problem {
        let retry_after_s = match fault.status() {
            503 => Some(1),
            _ => None,
        };
        let (status, code, title) = (fault.status(), fault.as_str(), fault.title());
        Problem { status, code, title, detail: detail.into(), errors: Vec::new(), epoch: None, retry_after_s }
    }

    /// A refusal, at the status of its code.
    pub fn refused(code: Code, path_names_sku: bool, errors: Vec<Detail>) -> Problem {
        let detail = errors.first().map_or(Cow::Borrowed(code.title()), |first| first.detail.clone());
        Problem {
            status: status_of(code, path_names_sku),
            code: code.as_str(),
            title: code.title(),
            detail,
            errors,
            epoch: None,
            retry_after_s: None,
        }
    }

    /// The problem of a path that names nothing.
    pub fn not_found(what: &str, id: &str) -> Problem {
        let mut problem = Problem::refused(Code::NotFound, false, Vec::new());
        problem.detail = format!("there is no {what} {id:?}").into();
        problem
    }

    /// A value that is out of its bounds, at a pointer.
    pub fn invalid(pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Problem {
        let error = Detail { pointer: pointer.into(), code: Code::Invalid, detail: detail.into() };
        Problem::refused(Code::Invalid, false, vec![error])
    }

    /// Several values that are out of their bounds, each at its pointer.
    pub fn all_invalid(errors: Vec<Detail>) -> Problem {
        Problem::refused(Code::Invalid, false, errors)
    }

    /// The same, exact for an epoch.
    pub fn at(mut self, epoch: Epoch) -> Problem {
        self.epoch = Some(epoch);
        self
    }

    /// The problem as an answer. What broke inside is for the log, and not for the caller.
    pub fn answer(&self) -> ApiResponse {
        let is_internal = self.status == ApiErrorKind::Internal.status();
        if is_internal {
            tracing::error!(detail = %self.detail, "a request could not be answered");
        }
        let detail = if is_internal { "the log of the node says what broke" } else { &self.detail };
        let body = ProblemJson {
            r#type: format!("urn:tradewind:problem:{}", self.code),
            title: self.title,
            status: self.status,
            detail,
            code: self.code,
            errors: &self.errors,
        };
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut answer = ApiResponse::new(status, ContentType::Problem, bytes);
        answer.epoch = self.epoch;
        if let Some(seconds) = self.retry_after_s {
            answer.header(axum::http::header::RETRY_AFTER, seconds.into());
        }
        answer
    }
}

impl From<CommandReadError> for Problem {
    fn from(unreadable: CommandReadError) -> Problem {
        match unreadable {
            CommandReadError::UnknownType(name) => Problem::invalid("/type", format!("no command has the type {name}")),
            CommandReadError::Shape(errors) => Problem::all_invalid(errors),
        }
    }
}
