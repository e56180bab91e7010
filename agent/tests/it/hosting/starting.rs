//! Starting, and all the reasons not to.

use lumos_agent::hosting::{Manifest, StartError};

use super::*;
use crate::support::cc;

async fn refusal(bench: &Bench, library: PathBuf) -> String {
    let inspected = bench.launcher.inspect(&library, bench.walls()).await.unwrap_err();
    let started = bench
        .launcher
        .start(bench.spec(library))
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(inspected, started);
    match inspected {
        StartError::Refused(text) => text,
        error => panic!("not refused: {error:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inspecting_reads_the_manifest_and_leaves_nothing() {
    let bench = Bench::new();
    let manifest: Manifest = bench
        .launcher
        .inspect(&cc::connector("ok", &[]), bench.walls())
        .await
        .unwrap();
    assert_eq!(manifest.app_id.as_str(), "fixture");
    assert_eq!(manifest.version.to_string(), "1.2.3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_minor_version_is_served() {
    let bench = Bench::new();
    let library = cc::connector("ok", &["TABLE_MINOR=9", "TABLE_SIZE=sizeof(struct newer)"]);
    let host = bench.start(library).await;
    assert_eq!(ask(&host, "echo", "{}").await.unwrap(), "{}");
    host.drain(LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_unacceptable_library_is_refused_in_its_own_words() {
    let bench = Bench::new();
    for (defines, says) in [
        (
            &["ENTRY=something_else"][..],
            "does not export lumos_connector_entry_v1",
        ),
        (&["NULL_TABLE"], "returned no connector table (NULL)"),
        (&["TABLE_MAGIC=7"], "begins with 0x0000000000000007"),
        (&["TABLE_SIZE=48"], "says struct_size 48"),
        (&["TABLE_MAJOR=2"], "built for version 2.0 of the connector ABI"),
        (&["TABLE_INVOKE=0"], "has no invoke"),
        (
            &[r#"MANIFEST_EXTRA=", \"requires\": [\"http/9\"]""#],
            "requires http/9, which this agent",
        ),
        (
            &[r#"MANIFEST_EXTRA=", \"max_concurrency\": 0""#],
            "max_concurrency is 0",
        ),
        (&[r#"MANIFEST_EXTRA="oops""#], "the manifest is not valid"),
    ] {
        let text = refusal(&bench, cc::connector("ok", defines)).await;
        assert!(text.contains(says), "{defines:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_library_is_refused() {
    let bench = Bench::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("text.so");
    std::fs::write(&path, "hello").unwrap();
    let text = refusal(&bench, path.clone()).await;
    assert!(text.contains("not a shared library"), "{text}");
    let mut bytes = std::fs::read(cc::connector("ok", &[])).unwrap();
    bytes[18] = 183;
    std::fs::write(&path, bytes).unwrap();
    let text = refusal(&bench, path).await;
    assert!(text.contains("CPU aarch64"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_must_agree() {
    let bench = Bench::new();
    let start = async |defines: &[&str]| {
        let spec = bench.spec(cc::connector("ok", defines));
        bench.launcher.start(spec).await.map(|_| ()).unwrap_err()
    };
    let error = start(&[r#"APP_ID="other""#]).await;
    assert!(
        matches!(&error, StartError::Refused(text) if text.contains("names the app_id `other`")),
        "{error:?}"
    );
    let error = start(&[r#"INFO_APP_ID="other""#]).await;
    assert!(
        matches!(&error, StartError::Refused(text) if text.starts_with("wrong app_id")),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_create_says_why() {
    let bench = Bench::new();
    let start = async |define: &str| {
        let spec = bench.spec(cc::connector("ok", &[define]));
        bench
            .launcher
            .start(spec)
            .await
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        start("CREATE_FAILS").await,
        "the connector could not be created: no licence file"
    );
    assert_eq!(
        start("CREATE_CRASHES").await,
        "the host process ended while the connector was created (create): killed by signal 6 (SIGABRT)"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executable_that_is_not_there_is_a_spawn_error() {
    let launcher = Launcher::with("/no/such/file".into(), 1024).unwrap();
    let error = launcher
        .inspect(&cc::connector("ok", &[]), Bench::new().walls())
        .await
        .unwrap_err();
    assert!(matches!(error, StartError::Spawn(_)), "{error:?}");
}

#[test]
fn a_host_cannot_be_run_by_hand() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_lumos-agent"))
        .arg("connector-host")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("connector-host is started by the agent itself"),
        "{text}"
    );
}
