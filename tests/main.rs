//! What takes more than one room to test.
