//! The progress of an import while it runs, and its report at the end. Not for the import itself.

use crate::importers::sender::Tally;
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// A bar over the rows of a file.
pub fn progress(rows: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} rows  {rate}  {eta} left  {msg}")
        .context("the progress bar's template is wrong")?;
    let style = style.with_key("rate", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
        // A bar that cannot be written is no reason to stop.
        let _ = write!(to, "{:.0} rows/s", state.per_sec());
    });
    Ok(ProgressBar::new(rows).with_style(style))
}

/// Prints the outcomes of the commands, and fails if one was refused.
pub fn report(tally: &Tally, rows: u64, seconds: f64) -> Result<()> {
    let Tally { decided, replayed, rejected, refusals } = tally;
    let rate = rows as f64 / seconds.max(0.001);
    println!("{rows} rows in {seconds:.1} s ({rate:.0} rows/s): {decided} commands, {replayed} of them decided before");
    for refusal in refusals {
        eprintln!("refused: {refusal}");
    }
    ensure!(*rejected == 0, "{rejected} commands were refused");
    Ok(())
}
