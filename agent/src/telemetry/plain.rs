//! Text that somebody outside chose, made fit for a log: one line stays one line, and a terminal shows what there is.
//!
//! Newlines and escape sequences are the well-known way to forge a line; C1 controls, the line separators of Unicode and
//! what reorders or hides text do the same in other readers.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character may end a line, steer a terminal, or show text other than it is.
pub(crate) fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Whether `text` can be taken as it is, at the price of one look at each byte.
fn is_plain(text: &str) -> bool {
    // Without a way out early, so that many bytes are looked at together.
    let printable = text
        .bytes()
        .fold(true, |so_far, byte| so_far & matches!(byte, b' '..=b'~'));
    printable || !text.contains(deceives)
}

/// `text` with what deceives written as `\n` or `\u{202e}`.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |out, character| out.extend(character.escape_default()))
}

/// The same for a line of JSON. What is escaped can only stand in strings there, so it stays the same JSON.
pub(crate) fn json(line: &str) -> Cow<'_, str> {
    escaped(line, |out, character| {
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            // Writing to a String does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escaped(text: &str, escape: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if deceives(character) {
            escape(&mut out, character);
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_that_deceives_is_left(wild in any::<String>()) {
            prop_assert!(!text(&wild).contains(deceives));
        }

        #[test]
        fn json_says_the_same_as_before(wild in any::<String>()) {
            let line = serde_json::to_string(&wild).unwrap();
            let plain = json(&line);
            prop_assert!(!plain.contains(deceives));
            prop_assert_eq!(serde_json::from_str::<String>(&plain).unwrap(), wild);
        }
    }

    #[test]
    fn readable_text_is_left_alone() {
        for readable in ["plain", "größer", "你好", "नमस्ते", "a \"b\" \\n"] {
            assert!(matches!(text(readable), Cow::Borrowed(_)), "{readable}");
        }
        assert_eq!(
            text("a\nb\u{9b}\u{2028}\u{202e}c"),
            "a\\nb\\u{9b}\\u{2028}\\u{202e}c"
        );
        assert_eq!(json("\"\u{85}\u{e0041}\""), "\"\\u0085\\udb40\\udc41\"");
    }
}
