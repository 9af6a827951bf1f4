//! What goes wrong around a node while it runs: its disk, its clock, those who follow it, and signals that stop it. It takes
//! nothing that it cannot keep and says so, loses nothing that it acknowledged, and continues by itself. Not for kills, and
//! not for a bound on the size of files, which needs no rights: `contract::limits` has that.

mod clock;
mod disk;
mod slow;
mod stop;

pub use disk::{Disk, Frozen};
