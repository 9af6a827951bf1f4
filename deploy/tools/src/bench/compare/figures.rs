//! The figures of all runs of two binaries beside each other: median, spread, and whether the second is better. Not for
//! how they are measured.

use super::child::RunFigures;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The values of all runs, by the name of the figure: of the first binary, and of the second.
#[derive(Default)]
pub struct Runs {
    figures: BTreeMap<String, [Vec<f64>; 2]>,
    threads: BTreeMap<String, [Vec<f64>; 2]>,
}

impl Runs {
    /// Adds the figures of a run of one of the binaries.
    pub fn add(&mut self, which: usize, said: &RunFigures) {
        let mut numbers = Vec::new();
        flatten("", &said.figures, &mut numbers);
        for (name, number) in numbers {
            self.figures.entry(name).or_default()[which].push(number);
        }
        for (name, seconds) in &said.cpu_seconds {
            self.threads.entry(name.clone()).or_default()[which].push(*seconds);
        }
    }

    /// Returns the figures that the binaries measured.
    pub fn figures(&self) -> Vec<Figure> {
        self.figures.iter().map(|(name, values)| Figure::new(name, values, wanted(name))).collect()
    }

    /// Returns the CPU seconds of their threads.
    pub fn threads(&self) -> Vec<Figure> {
        self.threads.iter().map(|(name, values)| Figure::new(name, values, Direction::Less)).collect()
    }
}

/// A line for each number; a deeper one has a longer name.
fn flatten(name: &str, value: &Value, numbers: &mut Vec<(String, f64)>) {
    let inner = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name} {part}") };
    match value {
        Value::Number(number) => numbers.extend(number.as_f64().map(|number| (name.to_owned(), number))),
        Value::Object(fields) => fields.iter().for_each(|(part, value)| flatten(&inner(part), value, numbers)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| flatten(&inner(&n.to_string()), value, numbers));
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// The direction in which a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    More,
    Less,
    Neither,
}

/// By the units in the name: rates are better if they are higher, times and sizes if they are lower.
fn wanted(name: &str) -> Direction {
    let last = name.rsplit(' ').next().unwrap_or(name);
    let has = |units: &[&str]| last.split('_').any(|part| units.contains(&part));
    if last.ends_with("_per_s") || last.ends_with("_per_cpu_s") || has(&["rate", "share"]) {
        Direction::More
    } else if last != "bytes" && has(&["s", "ms", "us", "ns", "seconds", "bytes", "errors"]) {
        Direction::Less
    } else {
        Direction::Neither
    }
}

/// A figure of both binaries.
pub struct Figure {
    name: String,
    wanted: Direction,
    values: [Vec<f64>; 2],
}

/// The median and the extremes of several runs.
#[derive(Clone, Copy)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Spread { median, min, max })
    }

    /// Half of the distance between the extremes, in percent of the median.
    fn percent(self) -> f64 {
        if self.median == 0.0 { 0.0 } else { 50.0 * (self.max - self.min) / self.median.abs() }
    }

    fn text(self) -> String {
        format!("{} ±{:.1}%", short(self.median), self.percent())
    }
}

/// With at most three decimals, and none from 1000 on.
fn short(number: f64) -> String {
    let text = if number.abs() >= 1000.0 { format!("{number:.0}") } else { format!("{number:.3}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

impl Figure {
    fn new(name: &str, values: &[Vec<f64>; 2], wanted: Direction) -> Figure {
        Figure { name: name.to_owned(), wanted, values: values.clone() }
    }

    /// "better", "worse" or "other" if the second binary's median is outside of the first one's runs; else empty.
    fn verdict(&self, a: Spread, b: Spread) -> &'static str {
        if (a.min..=a.max).contains(&b.median) {
            return "";
        }
        match (self.wanted, b.median > a.median) {
            (Direction::More, true) | (Direction::Less, false) => "better",
            (Direction::More, false) | (Direction::Less, true) => "worse",
            (Direction::Neither, true | false) => "other",
        }
    }

    /// For people.
    pub fn line(&self) -> String {
        let [a, b] = [0, 1].map(|which| Spread::of(&self.values[which]));
        let text = |spread: Option<Spread>| spread.map_or_else(|| "-".to_owned(), Spread::text);
        let end = match (a, b) {
            (Some(a), Some(b)) => format!("{:>8}  {}", change(a, b).unwrap_or_default(), self.verdict(a, b)),
            (Some(_), None) => "only in a".to_owned(),
            (None, Some(_) | None) => "only in b".to_owned(),
        };
        format!("  {:<34} {:>15} {:>15} {end}", self.name, text(a), text(b)).trim_end().to_owned()
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let [a, b] = [0, 1].map(|which| Spread::of(&self.values[which]));
        let of = |which: usize, spread: Option<Spread>| {
            spread.map(|Spread { median, min, max }| {
                json!({"median": median, "min": min, "max": max, "values": self.values[which]})
            })
        };
        let verdict = a.zip(b).map(|(a, b)| self.verdict(a, b)).filter(|verdict| !verdict.is_empty());
        json!({"name": self.name, "a": of(0, a), "b": of(1, b), "verdict": verdict})
    }
}

/// The change of the median.
fn change(a: Spread, b: Spread) -> Option<String> {
    (a.median != 0.0).then(|| format!("{:+.1}%", 100.0 * (b.median - a.median) / a.median))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_good_follows_from_the_unit() {
        for name in ["replay commands_per_s", "commands_per_cpu_s", "searches rate", "share_of_empty", "mb_per_s"] {
            assert_eq!(wanted(name), Direction::More, "{name}");
        }
        for name in ["live visible_ms_p99", "node p99_us", "restart_s", "cpu_seconds", "bytes_a_row", "errors"] {
            assert_eq!(wanted(name), Direction::Less, "{name}");
        }
        for name in ["orders", "node bytes", "answers", "states 0 orders", "workers"] {
            assert_eq!(wanted(name), Direction::Neither, "{name}");
        }
    }

    #[test]
    fn a_median_within_the_spread_says_nothing() {
        let figure = |a: &[f64], b: &[f64]| Figure::new("seconds", &[a.to_vec(), b.to_vec()], Direction::Less);
        let verdict =
            |a: &[f64], b: &[f64]| figure(a, b).verdict(Spread::of(a).expect("values"), Spread::of(b).expect("values"));
        assert_eq!(verdict(&[1.0, 2.0, 3.0], &[3.0, 3.0, 3.0]), "");
        assert_eq!(verdict(&[1.0, 2.0, 3.0], &[3.0, 3.1, 9.0]), "worse");
        assert_eq!(verdict(&[1.0, 2.0], &[0.5, 0.7]), "better");
        assert_eq!(Spread::of(&[4.0, 1.0]).map(|spread| spread.median), Some(2.5));
        assert!(Spread::of(&[]).is_none());
    }
}
