//! What the guide does not show: how the image is made, how its process is held, what it writes, how it ends; and places
//! where an engine does otherwise.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::engine::{Engine, text};
use super::guide::Guide;
use crate::run::say;

/// As everywhere in the guide, but without a directory for temporary files, which podman gives and docker does not.
const HELD: &str =
    "--read-only --read-only-tmpfs=false --cap-drop=ALL --security-opt=no-new-privileges --network none";
const PATIENCE: Duration = Duration::from_secs(120);
/// The usual profile, which podman brings.
const PROFILE: &str = "/usr/share/containers/seccomp.json";
const LANDLOCK: &str = "landlock_";

/// On the container that the guide leaves running.
pub(super) fn check(engine: &Engine) -> anyhow::Result<()> {
    image(engine)?;
    process(engine)?;
    health(engine)?;
    writes(engine)?;
    end(engine)
}

fn image(engine: &Engine) -> anyhow::Result<()> {
    let found: Value = serde_json::from_str(&engine.shell("podman image inspect lumos-agent")?)?;
    let config = &found[0]["Config"];
    let told = |name: &str| config[name].to_string();
    ensure!(
        told("User") == r#""10001:10001""#,
        "the image's user: {}",
        told("User")
    );
    ensure!(
        told("Entrypoint") == r#"["/usr/bin/lumos-agent"]"#,
        "{}",
        told("Entrypoint")
    );
    ensure!(told("Cmd") == r#"["run"]"#, "{}", told("Cmd"));
    let labels = told("Labels");
    ensure!(
        labels.contains(r#""org.opencontainers.image.licenses":"Apache-2.0""#),
        "{labels}"
    );
    let shell = engine.try_shell("podman run --rm --network none --entrypoint sh lumos-agent -c true")?;
    ensure!(!shell.status.success(), "the image has a shell");
    let licences = engine.shell("podman cp lumos-agent:/usr/share/doc/lumos-agent - | tar -t")?;
    for name in ["LICENSE", "third-party-licences.txt.gz", "sbom.cdx.json"] {
        ensure!(licences.contains(name), "the image has no {name}:\n{licences}");
    }
    Ok(())
}

/// The kernel's words on the agent.
fn process(engine: &Engine) -> anyhow::Result<()> {
    let pid = engine.shell("podman inspect --format '{{.State.Pid}}' lumos-agent")?;
    let status = engine.shell(&format!("cat /proc/{}/status", pid.trim()))?;
    let expected = [
        ("Uid:", "10001\t10001\t10001\t10001"),
        ("Gid:", "10001\t10001\t10001\t10001"),
        ("CapPrm:", "0000000000000000"),
        ("CapBnd:", "0000000000000000"),
        ("NoNewPrivs:", "1"),
        ("Seccomp:", "2"),
    ];
    for (name, value) in expected {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        ensure!(line.map(str::trim) == Some(value), "{name} {line:?}, not {value}");
    }
    let shown = engine.shell("podman exec lumos-agent lumos-agent connector show mockapp")?;
    let shown: Value = serde_json::from_str(&shown)?;
    ensure!(
        shown["isolation_level"] == "full" && shown["state"] == "ready",
        "the connector is not walled off in full: {shown:#}"
    );
    let doctor = engine.shell("podman exec lumos-agent lumos-agent doctor")?;
    ensure!(!doctor.contains("FAILURE"), "{doctor}");
    say("   no shell, no privileges, and connectors walled off in full");
    Ok(())
}

/// A connector that fails leaves the agent healthy and ready; one that does not answer is not healthy.
fn health(engine: &Engine) -> anyhow::Result<()> {
    const BAD: &str = "install -o 10001 -g 10001 -m 644 work.so";
    let place = volume(engine, "lumos")?;
    fs::write(engine.work().join("work.so"), "no library")?;
    engine.shell(&format!("{BAD} {place}/connectors/bad.so"))?;
    wait_for(
        engine,
        "podman exec lumos-agent lumos-agent connector list",
        "bad.so",
    )?;
    engine.shell("podman healthcheck run lumos-agent")?;
    engine.shell("podman exec lumos-agent lumos-agent status --ready")?;
    engine.shell(&format!("rm {place}/connectors/bad.so"))?;

    engine.shell("podman kill --signal STOP lumos-agent")?;
    let hanging = engine.try_shell("timeout 20 podman healthcheck run lumos-agent")?;
    engine.shell("podman kill --signal CONT lumos-agent")?;
    ensure!(!hanging.status.success(), "an agent that hangs counts as healthy");
    engine.shell("podman healthcheck run lumos-agent")?;
    say("   healthy with a connector that is refused, and not healthy while it hangs");
    Ok(())
}

fn writes(engine: &Engine) -> anyhow::Result<()> {
    // What podman makes to mount something on, it calls an addition.
    let changed = engine.shell("podman diff lumos-agent")?;
    let own: Vec<&str> = changed
        .lines()
        .filter(|line| !matches!(*line, "A /lumos" | "A /lumos/state") && !line.starts_with("A /lumos/"))
        .filter(|line| {
            !["/etc", "/run", "/dev", "/proc", "/sys"]
                .iter()
                .any(|place| line[2..].starts_with(place))
        })
        .collect();
    ensure!(own.is_empty(), "this was written besides the volumes: {own:?}");
    let logs = engine.shell("podman logs lumos-agent 2>&1")?;
    ensure!(
        logs.contains("the agent serves"),
        "the log is not on standard error:\n{logs}"
    );
    let files = fs_names(engine, &format!("{}/logs", volume(engine, "lumos")?))?;
    ensure!(files.is_empty(), "there are log files: {files}");
    Ok(())
}

/// It is told to stop while a call is in flight, which ends well; then it ends by itself.
fn end(engine: &Engine) -> anyhow::Result<()> {
    const SLOW: &str = r#"
podman exec -d lumos-agent /usr/lib/lumos-agent/mockapp-server --listen 127.0.0.1:8001 --delay-ms 5000
podman run --rm --read-only --cap-drop=ALL --security-opt=no-new-privileges --network none -v lumos:/lumos \
    lumos-agent token create --name last --scope 'mockapp:read' > last.json
printf 'Authorization: Bearer %s\n' "$(sed -n 's/.*"token": "\(.*\)".*/\1/p' last.json)" > last.header
sed s/8000/8001/ request.json > slow.json
sleep 2
curl -s --cacert ca.pem -H @last.header -H 'Content-Type: application/json' -d @slow.json \
    https://localhost:8443/connectors/mockapp/list_accounts > slow.answer &
sleep 2
podman stop lumos-agent
wait $!
cat slow.answer
"#;
    let answer = engine.shell(SLOW)?;
    ensure!(
        answer.contains("user-000001"),
        "the call in flight was not answered: {answer}"
    );
    let code = engine.shell("podman inspect --format '{{.State.ExitCode}}' lumos-agent")?;
    let logs = engine.shell("podman logs lumos-agent 2>&1")?;
    ensure!(
        code.trim() == "0" && logs.contains("all calls have ended and all hosts are gone"),
        "it ended with {code}\n{logs}"
    );
    engine.shell("podman rm lumos-agent")?;
    say("   told to stop, it has answered the call in flight and ended with 0");
    Ok(())
}

/// As a kubelet lays it out: the Secret behind links, root's and readable by the group; an `emptyDir` that everybody may write;
/// connectors in a layer of the image.
pub(super) fn pod(engine: &Engine, guide: &Guide) -> anyhow::Result<()> {
    let made = volume(engine, "lumos")?;
    let lay_out = format!(
        r#"
mkdir -p pod/config/..2026 pod/state pod/image
for file in agent.toml tokens.json tls/server.pem tls/server.key; do
    install -o 0 -g 10001 -m 440 {made}/$file pod/config/..2026/
    ln -s ..data/${{file##*/}} pod/config/${{file##*/}}
done
ln -s ..2026 pod/config/..data
chgrp 10001 pod/state
chmod 2777 pod/state
podman create --name files lumos-agent
podman cp files:/usr/lib/lumos-agent/connectors/mockapp.so pod/image/
podman rm files
printf 'FROM lumos-agent\nCOPY *.so /opt/connectors/\n' > pod/image/Containerfile
podman build --format docker -t with-connectors pod/image
podman run -d --name pod {HELD} -v "$PWD/pod/config:/etc/lumos-agent:ro" -v "$PWD/pod/state:/lumos" \
    {variables} with-connectors
"#,
        variables = guide.variables()?
    );
    engine.shell(&lay_out)?;
    wait_for(
        engine,
        "podman exec pod lumos-agent connector list",
        r#""state": "ready""#,
    )?;
    for probe in guide.probes()? {
        engine.shell(&format!("podman exec pod {probe}"))?;
    }
    // What needs a directory for temporary files finds one.
    engine.shell("podman exec pod lumos-agent connector validate /opt/connectors/mockapp.so")?;
    let doctor = engine.try_shell("podman exec pod lumos-agent doctor")?;
    let failures: Vec<String> = text(&doctor.stdout)
        .lines()
        .filter(|line| line.starts_with("FAILURE"))
        .map(str::to_owned)
        .collect();
    ensure!(
        failures.len() == 1 && failures[0].contains("may write to /lumos"),
        "doctor says more than the guide: {failures:#?}"
    );
    engine.shell("podman stop pod && podman rm pod").map(drop)
}

/// A profile that knows no Landlock: connectors are served, and everything says that they are not walled off.
pub(super) fn without_landlock(engine: &Engine) -> anyhow::Result<()> {
    let profile = fs::read_to_string(PROFILE).with_context(|| format!("cannot read {PROFILE}"))?;
    let mut profile: Value = serde_json::from_str(&profile)?;
    for rule in profile["syscalls"].as_array_mut().into_iter().flatten() {
        if let Some(names) = rule["names"].as_array_mut() {
            names.retain(|name| !name.as_str().is_some_and(|name| name.starts_with(LANDLOCK)));
        }
    }
    fs::write(engine.work().join("profile.json"), profile.to_string())?;
    // The connector comes as one from outside does.
    engine.shell(&format!(
        r#"
rm {place}/connectors/mockapp.so
podman run -d --name open {HELD} --security-opt seccomp="$PWD/profile.json" -v lumos:/lumos lumos-agent
podman cp pod/image/mockapp.so open:/lumos/connectors/
"#,
        place = volume(engine, "lumos")?
    ))?;
    wait_for(
        engine,
        "podman exec open lumos-agent connector list",
        r#""state": "ready""#,
    )?;
    let told = [
        ("status --output table", "not fully isolated   mockapp none"),
        ("doctor", "offers no Landlock"),
        (
            "doctor",
            "in a container, a seccomp profile that allows landlock_create_ruleset",
        ),
    ];
    for (command, words) in told {
        let said = text(
            &engine
                .try_shell(&format!("podman exec open lumos-agent {command}"))?
                .stdout,
        );
        ensure!(
            said.contains(words),
            "{command} does not say that {words}:\n{said}"
        );
    }
    engine.shell("podman stop open && podman rm open").map(drop)
}

/// Where a volume lies, as the engine sees it.
fn volume(engine: &Engine, name: &str) -> anyhow::Result<String> {
    let place = engine.shell(&format!(
        "podman volume inspect --format '{{{{.Mountpoint}}}}' {name}"
    ))?;
    Ok(place.trim().to_owned())
}

fn fs_names(engine: &Engine, directory: &str) -> anyhow::Result<String> {
    engine.shell(&format!("ls -A {directory}"))
}

/// Runs it again and again until it says so.
fn wait_for(engine: &Engine, command: &str, words: &str) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let output = engine.try_shell(command)?;
        let said = text(&output.stdout);
        if said.contains(words) {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            bail!("{command} never said {words}:\n{said}{}", text(&output.stderr));
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}
