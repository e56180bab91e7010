use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::telemetry::plain::deceives;

/// Logs `message` and `field` as the agent does and gives what would be written.
fn logged(format: LogFormat, message: &str, field: &str) -> String {
    let out = Arc::new(Mutex::new(Vec::new()));
    let to = out.clone();
    let make = move || OneLine {
        out: Shared(to.clone()),
        format,
    };
    let layer = match format {
        LogFormat::Text => fmt::layer()
            .with_ansi(false)
            .with_target(false)
            .with_writer(make)
            .boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(make).boxed(),
    };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::warn!(shown = %field, quoted = field, listed = ?[field], "{message}");
    });
    let bytes = out.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Texts with much of what could forge a line.
fn wild() -> impl Strategy<Value = String> {
    let sharp = prop::sample::select(vec![
        "\n",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{2029}",
        "\u{1b}[2J",
        "\u{9b}31m",
        "\u{202e}",
        "\u{2066}",
        "\0",
        "\u{7f}",
        "\"",
        "\\",
        "\\n",
        "{",
        "}",
        "2026-01-02T12:00:00.000000Z ERROR forged",
        "\u{feff}",
        "\u{e0041}",
        "\u{200b}",
    ]);
    let piece = prop_oneof![sharp.prop_map(str::to_owned), any::<String>()];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn an_event_is_one_line_whatever_is_in_it(message in wild(), field in wild()) {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, &message, &field);
            let line = text.strip_suffix('\n').unwrap();
            prop_assert!(!line.contains(deceives), "{:?}", line);
            if format == LogFormat::Json {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                prop_assert_eq!(event["message"].as_str(), Some(&*message));
                prop_assert_eq!(event["quoted"].as_str(), Some(&*field));
            }
        }
    }

    #[test]
    fn a_request_is_one_line_whatever_is_in_it(text in wild()) {
        use crate::telemetry::request_line::{Millis, Pairs};
        let pairs = [(text.clone(), text.clone())];
        let line = RequestLine {
            request_id: &text,
            caller: Some(&text),
            app_id: Some(&text),
            capability: Some(&text),
            status: 200,
            error_code: &text,
            queue_ms: None,
            connector_ms: None,
            total_ms: Millis(std::time::Duration::ZERO),
            request_bytes: None,
            answer_bytes: None,
            observability: Pairs(&pairs),
        };
        for format in [LogFormat::Text, LogFormat::Json] {
            let formatted = line.formatted(format, Timestamp::UNIX_EPOCH);
            let shown = formatted.strip_suffix('\n').unwrap();
            prop_assert!(!shown.contains(deceives), "{:?}", shown);
            if format == LogFormat::Json {
                let event: serde_json::Value = serde_json::from_str(shown).unwrap();
                prop_assert_eq!(event["caller"].as_str(), Some(&*text));
            }
        }
    }
}

#[test]
fn an_event_is_one_line_without_control_characters() {
    let mut out = Vec::new();
    let format = LogFormat::Text;
    let mut line = OneLine {
        out: &mut out,
        format,
    };
    line.write_all(b"a\nb \x1b[31mred\x1b[0m\n").unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "a\\nb \\u{1b}[31mred\\u{1b}[0m\n"
    );
}
