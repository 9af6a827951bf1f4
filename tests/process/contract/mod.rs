//! The contract's REST rows, row by row, against the real process. What is checked here stands in the contract; what
//! does not stand there is free.

mod accepted;
mod batches;
mod codes;
mod documents;
mod epochs;
mod limits;
mod lists;
mod repeats;
mod unread;
