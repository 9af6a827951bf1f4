//! Folding: letters that people take for the same become the same. Not for splitting text into words.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Appends a character in lower case and without its accents.
pub fn fold(c: char, to: &mut String) {
    if c.is_ascii() {
        to.push(c.to_ascii_lowercase());
        return;
    }
    for part in std::iter::once(c).nfkd().filter(|part| !is_combining_mark(*part)) {
        match part {
            // A character that has no accent to take away.
            'ß' | 'ẞ' => to.push_str("ss"),
            'æ' | 'Æ' => to.push_str("ae"),
            'œ' | 'Œ' => to.push_str("oe"),
            'ø' | 'Ø' => to.push('o'),
            'đ' | 'Đ' | 'ð' | 'Ð' => to.push('d'),
            'ł' | 'Ł' => to.push('l'),
            'þ' | 'Þ' => to.push_str("th"),
            'ı' => to.push('i'),
            part => to.extend(part.to_lowercase().filter(|lower| !is_combining_mark(*lower))),
        }
    }
}

/// A text in lower case and without accents.
pub fn folded(text: &str) -> String {
    let mut to = String::with_capacity(text.len());
    text.chars().for_each(|c| fold(c, &mut to));
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_case_do_not_count() {
        assert_eq!(folded("CAFÉ Übergröße Ærøskøbing İstanbul Ⅷ ﬁn"), "cafe ubergrosse aeroskobing istanbul viii fin");
    }
}
