//! Product search through more than one room: the real catalogue, ranked.

mod ranking;
