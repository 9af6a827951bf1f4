//! Stemming: the plural of an English word and its singular become the same, and nothing else does. Product words are
//! nouns; a heavier stemmer (Porter 2) put fewer of the products that people judged right on the first page. Not for
//! words with digits: those are models.

/// After these, a plural takes `es`, so the `e` does not show what the singular was.
const SIBILANTS: [&str; 5] = ["ch", "sh", "ss", "x", "zz"];

/// The stem of a folded word.
pub fn stemmed(word: &str) -> String {
    if word.len() <= 3 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let is_plural = word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    let singular = if is_plural { &word[..word.len() - 1] } else { word };
    let Some(without) = singular.strip_suffix('e') else { return singular.to_owned() };
    if SIBILANTS.iter().any(|end| without.ends_with(end)) {
        return without.to_owned();
    }
    match without.strip_suffix('i') {
        Some(start) if start.len() > 2 => format!("{start}y"),
        Some(_) | None => singular.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plural_and_its_singular_are_the_same_word() {
        let pairs = [
            ("cables", "cable"),
            ("batteries", "battery"),
            ("boxes", "box"),
            ("switches", "switch"),
            ("glasses", "glass"),
            ("caches", "cache"),
            ("sizes", "size"),
            ("movies", "movie"),
            ("laptops", "laptop"),
        ];
        for (plural, singular) in pairs {
            assert_eq!(stemmed(plural), stemmed(singular));
        }
    }

    #[test]
    fn what_is_no_plural_stays() {
        for word in ["glass", "plus", "bus", "tvs", "a4s", "usb", "chassis", "ps4s", "hdmi", "mouse"] {
            assert_eq!(stemmed(word), word);
        }
    }
}
