//! The tests of the room: the whole service, asked through its router. Not for the engine: a plain decider replaces it.

mod changes;
mod client;
mod commands;
mod document;
mod env;
mod places;
mod reads;
mod refusals;
mod revenue;
mod search;
mod shop;
mod sockets;
