//! Which codes a command may be refused with, for the document. The decider says when.

use dataflows::code::Code;
use dataflows::command::CommandType;

/// The codes, beside those that any request may get.
pub const fn of(command_type: CommandType) -> &'static [Code] {
    use Code::{
        AlreadyExists, AmountMismatch, CommandIdReused, CurrencyMismatch, InsufficientStock, Invalid,
        InvalidTransition, NotFound, NotSold, OutOfStock, OverRefund, OverReturn, Overflow, SkuTaken, UnknownPayment,
        UnknownSku,
    };
    match command_type {
        CommandType::PutPolicy => &[Invalid, CommandIdReused],
        CommandType::PutProduct => &[Invalid, CommandIdReused, SkuTaken],
        CommandType::ArchiveProduct => &[Invalid, CommandIdReused, NotFound],
        CommandType::SetPrice => &[Invalid, CommandIdReused, NotFound, UnknownSku, NotSold],
        CommandType::MoveStock | CommandType::TransferStock => {
            &[Invalid, CommandIdReused, UnknownSku, Overflow, InsufficientStock]
        }
        CommandType::PlaceOrder => {
            &[Invalid, CommandIdReused, AlreadyExists, UnknownSku, NotSold, CurrencyMismatch, Overflow, OutOfStock]
        }
        CommandType::CancelOrder | CommandType::DeliverOrder | CommandType::RecordShipmentFailure => {
            &[Invalid, CommandIdReused, NotFound, InvalidTransition, Overflow]
        }
        CommandType::ShipOrder => &[Invalid, CommandIdReused, NotFound, InvalidTransition, InsufficientStock],
        CommandType::ReturnItems => {
            &[Invalid, CommandIdReused, NotFound, AlreadyExists, InvalidTransition, OverReturn, Overflow]
        }
        CommandType::RecordCredit => {
            &[Invalid, CommandIdReused, AlreadyExists, UnknownSku, NotSold, CurrencyMismatch, Overflow]
        }
        CommandType::RecordAdjustment => &[Invalid, CommandIdReused, AlreadyExists, CurrencyMismatch, Overflow],
        CommandType::RecordPaymentResult => &[
            Invalid,
            CommandIdReused,
            NotFound,
            UnknownPayment,
            InvalidTransition,
            CurrencyMismatch,
            AmountMismatch,
            OverRefund,
        ],
        CommandType::IssueRefund => {
            &[Invalid, CommandIdReused, NotFound, AlreadyExists, CurrencyMismatch, OverRefund, Overflow]
        }
    }
}
