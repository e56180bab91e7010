//! The one syntax pass over an answer. Builds nothing.
#![forbid(unsafe_code)]

/// Why `bytes` are not one JSON document, for people; never quotes them.
pub(super) fn syntax_error(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some("the connector's answer is empty; it must be a JSON document".into());
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            return Some(format!(
                "the connector's answer is not UTF-8 from byte {} of {} on",
                error.valid_up_to(),
                bytes.len()
            ));
        }
    };
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => None,
        Err(error) => Some(format!("the connector's answer is not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_json_from_the_rest() {
        assert_eq!(syntax_error(br#" {"a": [1, "x", null]} "#), None);
        for (bad, says) in [
            (&b""[..], "empty"),
            (b"{\"a\": }", "not JSON: expected value at line 1 column 7"),
            (b"{} x", "trailing characters"),
            (b"\"\xff\"", "not UTF-8 from byte 1 of 3"),
        ] {
            let text = syntax_error(bad).unwrap();
            assert!(text.contains(says), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert!(syntax_error("[".repeat(1_000_000).as_bytes()).is_some());
    }
}
