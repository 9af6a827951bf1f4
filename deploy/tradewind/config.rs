//! Configuration. The only file that reads the environment.

/// The folder with the data to test against; says why a test is skipped without one, or fails where none may be.
#[cfg(test)]
pub fn test_data() -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("TRADEWIND_TEST_DATA").map(std::path::PathBuf::from);
    if folder.is_none() {
        let why = "TRADEWIND_TEST_DATA does not name the folder with the data";
        assert!(std::env::var_os("TRADEWIND_TEST_NO_SKIP").is_none_or(|value| value != "1"), "{why}");
        println!("SKIPPED: {why}");
    }
    folder
}
