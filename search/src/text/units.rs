//! Units as people type them after a number, so that `128 GB`, `128gb` and `128-gigabyte` are one word. Not for
//! converting: 1000 mm and 1 m stay two.

/// Each unit with the ways to write it, folded.
const UNITS: [(&str, &[&str]); 46] = [
    ("kb", &["kb", "kilobyte", "kilobytes"]),
    ("mb", &["mb", "megabyte", "megabytes"]),
    ("gb", &["gb", "gigabyte", "gigabytes"]),
    ("tb", &["tb", "terabyte", "terabytes"]),
    ("kbps", &["kbps", "kbit"]),
    ("mbps", &["mbps", "mbit"]),
    ("gbps", &["gbps", "gbit"]),
    ("hz", &["hz", "hertz"]),
    ("khz", &["khz"]),
    ("mhz", &["mhz", "megahertz"]),
    ("ghz", &["ghz", "gigahertz"]),
    ("mm", &["mm", "millimeter", "millimeters", "millimetre", "millimetres"]),
    ("cm", &["cm", "centimeter", "centimeters", "centimetre", "centimetres"]),
    ("m", &["m", "meter", "meters", "metre", "metres"]),
    ("km", &["km"]),
    ("in", &["inch", "inches", "zoll"]),
    ("ft", &["ft", "feet", "foot"]),
    ("yd", &["yd", "yard", "yards"]),
    ("mg", &["mg"]),
    ("g", &["g", "gram", "grams"]),
    ("kg", &["kg", "kilo", "kilos", "kilogram", "kilograms"]),
    ("lb", &["lb", "lbs", "pound", "pounds"]),
    ("oz", &["oz", "ounce", "ounces"]),
    ("ml", &["ml", "milliliter", "milliliters", "millilitre", "millilitres"]),
    ("cl", &["cl"]),
    ("l", &["l", "liter", "liters", "litre", "litres"]),
    ("mw", &["mw"]),
    ("w", &["w", "watt", "watts"]),
    ("kw", &["kw", "kilowatt", "kilowatts"]),
    ("wh", &["wh"]),
    ("kwh", &["kwh"]),
    ("v", &["v", "volt", "volts"]),
    ("kv", &["kv"]),
    ("va", &["va"]),
    ("kva", &["kva"]),
    ("mah", &["mah"]),
    ("ah", &["ah"]),
    ("db", &["db", "decibel", "decibels"]),
    ("dpi", &["dpi"]),
    ("ppm", &["ppm"]),
    ("rpm", &["rpm"]),
    ("fps", &["fps"]),
    ("mp", &["mp", "megapixel", "megapixels"]),
    ("ohm", &["ohm", "ohms"]),
    ("lm", &["lm", "lumen", "lumens"]),
    ("cd", &["cd/m2", "nits"]),
];

/// The unit that a folded word means.
pub fn unit(word: &str) -> Option<&'static str> {
    UNITS.iter().find(|(_, ways)| ways.contains(&word)).map(|(unit, _)| *unit)
}

/// The same where the word is joined to its number: `27in` is 27 inches, `4 in 1` is not 4 inches.
pub fn unit_joined(word: &str) -> Option<&'static str> {
    if word == "in" { Some("in") } else { unit(word) }
}
