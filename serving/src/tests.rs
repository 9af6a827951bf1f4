//! The tests of the room: the whole service, asked through its router. Not for the engine: a plain decider stands in.

mod changes;
mod commands;
mod document;
mod env;
mod reads;
mod revenue;
mod search;
mod shop;
mod sockets;
