use super::*;

fn logs(level: LogLevel) -> (tempfile::TempDir, ConnectorLogs, ConnectorLog) {
    let directory = tempfile::tempdir().unwrap();
    let options = ConnectorLogOptions {
        files: Some(LogFiles::scratch(directory.path())),
        level,
    };
    let logs = ConnectorLogs::start(options, Metrics::new()).unwrap();
    let log = logs.of(&"mockapp".parse().unwrap(), Generation(3));
    (directory, logs, log)
}

fn written(directory: &tempfile::TempDir, logs: &ConnectorLogs) -> String {
    logs.flush();
    let mut text = String::new();
    for entry in directory.path().read_dir().unwrap() {
        text += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    text
}

#[test]
fn a_line_says_when_how_bad_which_generation_and_which_call() {
    let (directory, logs, log) = logs(LogLevel::Info);
    log.line(LogLevel::Error, Some("req-1"), "it broke");
    log.line(LogLevel::Debug, None, "not this");
    let text = written(&directory, &logs);
    let (_, rest) = text.split_once(' ').unwrap();
    assert_eq!(rest, "ERROR [gen 3] [req-1] it broke\n");
    let name = directory
        .path()
        .read_dir()
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .file_name();
    assert_eq!(
        name.to_str().unwrap(),
        format!("mockapp_{}.log", Zoned::now().date())
    );
}

#[test]
fn levels_change_at_once() {
    let (directory, logs, log) = logs(LogLevel::Error);
    log.line(LogLevel::Info, None, "one");
    let app_id: AppId = "mockapp".parse().unwrap();
    let own = |level| BTreeMap::from([(app_id.clone(), level)]);
    logs.set_levels(LogLevel::Info, &BTreeMap::new());
    log.line(LogLevel::Info, None, "two");
    logs.set_levels(LogLevel::Info, &own(LogLevel::Critical));
    log.line(LogLevel::Error, None, "three");
    logs.set_levels(LogLevel::Info, &BTreeMap::new());
    log.line(LogLevel::Info, None, "four");
    let text = written(&directory, &logs);
    assert!(text.contains("two") && text.contains("four"), "{text}");
    assert!(!text.contains("one") && !text.contains("three"), "{text}");
}

#[test]
fn a_flood_is_dropped_and_counted() {
    let (directory, logs, log) = logs(LogLevel::Debug);
    for number in 0..5000 {
        log.line(LogLevel::Info, None, &format!("line {number}"));
    }
    logs.flush();
    *lock(&log.app.bucket) = Bucket::full(Instant::now());
    log.line(LogLevel::Info, None, "after");
    let text = written(&directory, &logs);
    assert!(text.contains(" lines dropped: "), "no note");
    assert!(text.lines().count() < 3000, "{} lines", text.lines().count());
    assert!(text.ends_with("after\n"));
    let metrics = logs.0.metrics.render();
    assert!(
        metrics.contains("connector_log_lines_dropped_total{app_id=\"mockapp\"}"),
        "{metrics}"
    );
}

#[test]
fn a_line_stays_one_line_and_cannot_play_with_the_terminal() {
    let (directory, logs, log) = logs(LogLevel::Debug);
    log.line(LogLevel::Info, None, "a\nb\r\x1b[31mred\u{202e}olleh\u{2028}\tx");
    let text = written(&directory, &logs);
    assert_eq!(text.lines().count(), 1);
    assert!(
        text.ends_with("a\\nb\\r\\u{1b}[31mred\\u{202e}olleh\\u{2028}\tx\n"),
        "{text}"
    );
}

#[test]
fn a_long_line_is_cut_after_it_was_masked() {
    let (directory, logs, log) = logs(LogLevel::Debug);
    let secret = "canary-canary-canary";
    let _guard = log.guard(Arc::new([secret.into()]));
    let straddling = format!("{}{secret}{}", "x".repeat(MAX_LINE - 5), "y".repeat(100));
    log.line(LogLevel::Info, None, &straddling);
    let text = written(&directory, &logs);
    assert!(!text.contains("canary") && text.contains("bytes cut"), "{text}");
    assert!(text.len() < MAX_LINE + 200);
}

#[test]
fn secrets_of_calls_in_flight_are_masked_and_after() {
    let (directory, logs, log) = logs(LogLevel::Debug);
    let guard = log.guard(Arc::new(["canary-secret".into()]));
    log.line(LogLevel::Info, None, "token=canary-secret");
    drop(guard);
    log.line(LogLevel::Info, None, "late canary-secret");
    let text = written(&directory, &logs);
    assert!(text.contains("token=***") && text.contains("late ***"), "{text}");
    assert!(!text.contains("canary"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_second_line(text in proptest::prelude::any::<String>(), id in proptest::prelude::any::<String>()) {
        let (_directory, _logs, log) = logs(LogLevel::Debug);
        let line = Line {
            app: log.app.clone(),
            at: Zoned::now(),
            level: LogLevel::Info,
            generation: Generation(1),
            request_id: None,
            text: "".into(),
        };
        let mut filed = String::new();
        put(&mut filed, &line, "INFO", Some(&id), &text);
        let shown = [LogFormat::Text, LogFormat::Json].map(|format| for_agent(format, &line, LogLevel::Info, Some(&id), &text));
        for written in shown.iter().chain([&filed]) {
            let one = written.strip_suffix('\n').unwrap().replace('\t', "");
            proptest::prop_assert!(!one.contains(plain::deceives), "{:?}", one);
        }
        let json: serde_json::Value = serde_json::from_str(&shown[1]).unwrap();
        proptest::prop_assert_eq!(json["message"].as_str(), Some(&*text));
    }
}
