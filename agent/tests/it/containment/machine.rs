//! Connectors that take more of the machine than they should: memory, a core.

use std::path::PathBuf;

use super::*;

const EATS: &str = "connectors.settings.eats.memory_limit = \"64MiB\"";

/// A write and a read that ask for memory without end.
async fn eat(stage: &Stage, reason: &str) {
    for (capability, retryable) in [("eat", false), ("list_resources", true)] {
        let before = stage.until("eats", "ready", |row| row["state"] == "ready").await;
        let (status, answer) = stage.call("eats", capability, None).await;
        let error = &answer["error"];
        assert_eq!(
            (status, &error["error_code"], &error["raised_by"]),
            (502, &json!("connection_closed"), &json!("lumos-agent")),
            "{capability}: {answer}"
        );
        assert_eq!(error["error_metadata"]["retryable"], retryable, "{answer}");
        let hint = error["error_metadata"]["hint"].as_str().unwrap_or_default();
        assert_eq!(hint.contains("outcome unknown"), !retryable, "{answer}");
        let fresh = |row: &Value| row["state"] == "ready" && row["pid"] != before["pid"];
        let row = stage.until("eats", "served by a fresh host", fresh).await;
        let last_error = row["last_error"].as_str().unwrap_or_default();
        assert!(last_error.contains(reason), "{row}");
    }
    stage.until_logged("eats", reason).await;
    let reasons = stage.reasons("eats");
    assert!(reasons.iter().any(|told| told.contains(reason)), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connector_that_eats_memory_is_ended_and_its_callers_are_told() {
    if cc::sanitized() {
        println!("skipped: the sanitizer's own memory does not fit within a data limit");
        return;
    }
    let stage = Stage::new(EATS).await;
    stage.install(&rogue("eats", 0), "eats");
    let row = stage.until("eats", "ready", |row| row["state"] == "ready").await;
    assert_eq!(row["host"]["memory_limit"], 64 << 20, "{row}");
    let guard = row["host"]["memory_guard"].as_str().unwrap();
    let reason = match guard {
        "sampled" => "over its memory_limit of 64.0 MiB",
        "cgroup" => "reached its memory_limit of 64.0 MiB",
        other => panic!("{other}"),
    };
    eat(&stage, reason).await;
    let status = stage.agent.installation.run(["status", "--output", "table"]);
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.contains(reason), "{status}");
    assert!(status.contains("memory limits"), "{status}");
    let shown = stage
        .agent
        .installation
        .run(["connector", "show", "eats", "--output", "table"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("of 64.0 MiB, "), "{shown}");
    stage.remove("eats");
    stage.end("eats memory").await;
}

/// A part of the machine's own cgroups that is given to an agent; removed when dropped.
struct Delegated(PathBuf);

impl Delegated {
    /// Why there can be none, otherwise.
    fn new() -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let root = fields.into_iter().find(|fields| fields[2] == "cgroup2");
        let root = PathBuf::from(root.ok_or("no cgroup2 is mounted")?[1]);
        let controllers = fs::read_to_string(root.join("cgroup.subtree_control")).unwrap_or_default();
        if !controllers.split_whitespace().any(|name| name == "memory") {
            return Err(format!("{} passes no memory controller on", root.display()));
        }
        let path = root.join(format!("lumos-agent-it-{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let delegated = Delegated(path);
        let none = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&delegated.0, "user.delegate", b"1", none).map_err(|error| error.to_string())?;
        Ok(delegated)
    }

    fn hosts(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap().flatten().map(|entry| entry.path());
        let is_host = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("host-");
        entries.filter(is_host).collect()
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        for _ in 0..100 {
            for host in self.hosts() {
                let _ = fs::remove_dir(host);
            }
            let _ = fs::remove_dir(self.0.join("agent"));
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn where_a_cgroup_is_delegated_the_kernel_limits_memory() {
    let delegated = match Delegated::new() {
        Ok(delegated) => delegated,
        Err(reason) => {
            println!("skipped: {reason}");
            return;
        }
    };
    let stage = Stage::prepared(EATS, |installation| installation.start_in(&delegated.0)).await;
    let before = delegated.hosts();
    stage.install(&rogue("eats", 0), "eats");
    let row = stage.until("eats", "ready", |row| row["state"] == "ready").await;
    assert_eq!(row["host"]["memory_guard"], "cgroup", "{row}");
    let hosts = delegated.hosts();
    let leaf = hosts.iter().find(|host| !before.contains(host)).unwrap();
    let read = |file: &str| fs::read_to_string(leaf.join(file)).unwrap().trim().to_owned();
    assert_eq!(read("cgroup.procs"), row["pid"].to_string());
    assert_eq!(read("memory.max"), (64 << 20).to_string());
    assert_eq!(read("memory.oom.group"), "1");
    let swap = fs::read_to_string(leaf.join("memory.swap.max"));
    assert!(swap.is_ok_and(|swap| swap.trim() == "0") || !leaf.join("memory.swap.max").exists());

    eat(&stage, "reached its memory_limit of 64.0 MiB").await;
    assert!(!leaf.exists(), "its group has gone with the host");
    let status = stage.agent.installation.run(["status", "--output", "table"]);
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.contains("by a cgroup for each host, below "), "{status}");
    stage.remove("eats");
    stage.end("eats memory in a cgroup").await;
    assert_eq!(delegated.hosts(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_is_the_first_to_go_when_the_machine_is_out_of_memory() {
    let stage = Stage::new("").await;
    let row = stage.row("scenario").await.unwrap();
    let score = |pid: &str| -> i32 {
        let text = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
        text.trim().parse().unwrap()
    };
    let (agent, host) = (
        score(&stage.agent.pid().to_string()),
        score(&row["pid"].to_string()),
    );
    assert!(
        host > agent || agent == 1000,
        "{host} for the host, {agent} for the agent"
    );
    stage.end("order of death").await;
}

/// Without a neighbour under load, which would take its share of the core; other tests do that too, hence the low share.
#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_keeps_a_core_busy_is_warned_about_and_then_ended() {
    let installation = Installation::new();
    installation.configure(
        "connectors.cpu_warning_after = \"5s\"
connectors.cpu_warning = 5
connectors.settings.spins.timeout = \"25s\"",
    );
    let token = installation.token("test", &["*:*"]);
    drop_in(&rogue("spins", 0), &installation.connectors(), "spins.so");
    let mut agent = installation.start();
    let before = agent.wait_for("spins", "ready");
    let (status, answer) = agent.call(&token, "spins", "busy", &json!({"request": {}})).await;
    assert_eq!(
        (status, &answer["error"]["error_code"]),
        (504, &json!("request_timeout"))
    );
    let row = agent.row("spins").unwrap();
    let says = "% of a core over the last 5 s, more than its cpu_warning of 5 %, calls in flight: 1";
    assert!(
        row["warning"].as_str().unwrap_or_default().contains(says),
        "{row}"
    );
    assert_eq!(agent.log().matches(says).count(), 1, "{}", agent.log());
    let shown = agent
        .installation
        .run(["connector", "show", "spins", "--output", "table"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("\nwarning "), "{shown}");
    assert!(shown.contains("% of a core\n"), "{shown}");

    // Cancelled in vain for 10 s, and without siblings to wait for.
    let process = PathBuf::from(format!("/proc/{}", before["pid"]));
    agent.eventually("the busy host to be gone", |_| (!process.exists()).then_some(()));
    let show = ["connector", "show", "spins", "--output", "json"];
    let detail = agent.installation.json(show).to_string();
    assert!(
        detail.contains("calls were overdue, and no other was left"),
        "{detail}"
    );
    let metrics = reqwest::Client::builder().no_proxy().build().unwrap();
    let metrics = metrics.get(format!("{}/metrics", agent.admin_url));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    let value = |name: &str| {
        let series = format!("lumos_agent_connector_{name}{{app_id=\"spins\"}} ");
        let found = metrics.lines().find_map(|line| line.strip_prefix(&series));
        found
            .unwrap_or_else(|| panic!("{series} in {metrics}"))
            .parse::<f64>()
            .unwrap()
    };
    assert!(value("cpu_seconds_total") > 1.0, "{metrics}");
    assert!(value("resident_memory_bytes") > 100_000.0, "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn finishes_that_are_ignored_are_counted_and_shown() {
    let stage = Stage::new("").await;
    stage.install(&rogue("twice", 0), "twice");
    stage.until("twice", "ready", |row| row["state"] == "ready").await;
    for _ in 0..3 {
        stage.call("twice", "twice", None).await;
    }
    let counted = |row: &Value| row["host"]["ignored_finishes"] == 3;
    stage.until("twice", "counted", counted).await;
    let shown = stage
        .agent
        .installation
        .run(["connector", "show", "twice", "--output", "table"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("3 were late, double or unknown, and ignored"),
        "{shown}"
    );
    stage.remove("twice");
    stage.end("finishes twice").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a host is idle after a minute"]
async fn an_idle_host_that_has_grown_is_replaced_without_a_failed_call() {
    let stage = Stage::new("connectors.idle_memory_limit = \"64MiB\"").await;
    stage.install(&rogue("grows", 0), "grows");
    let before = stage.until("grows", "ready", |row| row["state"] == "ready").await;
    let neighbour = stage.row("scenario").await.unwrap();
    let (status, answer) = stage.call("grows", "grow", None).await;
    assert_eq!((status, &answer["response"]), (200, &json!("grown")));
    let begun = Instant::now();
    loop {
        let row = stage.row("grows").await.unwrap();
        assert_eq!(row["state"], "ready", "{row}");
        if row["pid"] != before["pid"] {
            assert_eq!(row["last_error"], Value::Null, "{row}");
            break;
        }
        assert!(begun.elapsed() < 3 * PATIENCE, "not replaced: {row}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (status, answer) = stage.call("grows", "fine", None).await;
    assert_eq!(status, 200, "{answer}");
    let reasons = stage.reasons("grows");
    let idle = |reason: &String| reason.contains("over connectors.idle_memory_limit of 64.0 MiB");
    assert_eq!(
        reasons.iter().filter(|reason| idle(reason)).count(),
        1,
        "{reasons:?}"
    );
    let row = stage.row("scenario").await.unwrap();
    assert_eq!(row["pid"], neighbour["pid"], "the busy one is left alone: {row}");
    stage.remove("grows");
    stage.end("grows while idle").await;
}
