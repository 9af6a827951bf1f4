//! Which codes a command may be refused with, for the document. The decider says when.

use dataflows::contract::code::Code;
use dataflows::shop::command::CommandType;

/// The codes, beside those that any request may get.
pub const fn of(command_type: CommandType) -> &'static [Code] {
    use Code::{
        AlreadyExists, AmountMismatch, CommandIdReused, CurrencyMismatch, InsufficientStock, Invalid,
        InvalidTransition, NotFound, NotSold, OutOfStock, OverRefund, OverReturn, Overflow, SkuTaken, TooLarge,
        UnknownPayment, UnknownSku,
    };
    match command_type {
        CommandType::PutPolicy => &[Invalid, CommandIdReused],
        CommandType::PutProduct => &[Invalid, CommandIdReused, SkuTaken, TooLarge],
        CommandType::ArchiveProduct => &[Invalid, CommandIdReused, NotFound, TooLarge],
        CommandType::SetPrice => &[Invalid, CommandIdReused, NotFound, UnknownSku, NotSold, TooLarge],
        CommandType::MoveStock | CommandType::TransferStock => {
            &[Invalid, CommandIdReused, UnknownSku, Overflow, InsufficientStock]
        }
        CommandType::PlaceOrder => &[
            Invalid,
            CommandIdReused,
            AlreadyExists,
            UnknownSku,
            NotSold,
            CurrencyMismatch,
            Overflow,
            OutOfStock,
            TooLarge,
        ],
        CommandType::CancelOrder | CommandType::DeliverOrder | CommandType::RecordShipmentFailure => {
            &[Invalid, CommandIdReused, NotFound, InvalidTransition, Overflow, TooLarge]
        }
        CommandType::ShipOrder => &[Invalid, CommandIdReused, NotFound, InvalidTransition, InsufficientStock, TooLarge],
        CommandType::ReturnItems => {
            &[Invalid, CommandIdReused, NotFound, AlreadyExists, InvalidTransition, OverReturn, Overflow, TooLarge]
        }
        CommandType::RecordCredit => {
            &[Invalid, CommandIdReused, AlreadyExists, UnknownSku, NotSold, CurrencyMismatch, Overflow, TooLarge]
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
            TooLarge,
        ],
        CommandType::IssueRefund => {
            &[Invalid, CommandIdReused, NotFound, AlreadyExists, CurrencyMismatch, OverRefund, Overflow, TooLarge]
        }
    }
}
