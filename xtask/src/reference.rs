//! The reference SDK, connector-py, in a virtual environment of its own: tests compare ours with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::need;
use crate::run::{run, step, succeeds};
use crate::workspace::Workspace;

/// The release that ours is held to. It names the release of its models itself.
const RELEASE: &str = "4.278.0";
/// What names the environment to the tests, and an environment that is there already to this task.
pub(crate) const VARIABLE: &str = "LUMOS_TEST_REFERENCE";

/// Where the environment is.
pub(crate) fn environment(workspace: &Workspace) -> PathBuf {
    match std::env::var_os(VARIABLE) {
        Some(environment) => environment.into(),
        None => workspace.target().join("reference"),
    }
}

/// Makes the environment if it is missing or holds another release. One that the caller names is only looked at.
pub(crate) fn prepare(workspace: &Workspace) -> anyhow::Result<()> {
    let environment = environment(workspace);
    if std::env::var_os(VARIABLE).is_none() && check(&environment).is_err() {
        make(&environment)?;
    }
    check(&environment)
}

/// Our models and answers, and the tutorial's connector, beside those of the reference. They are among the ignored tests,
/// because without it there is nothing to compare with.
pub(crate) fn compare(workspace: &Workspace) -> anyhow::Result<()> {
    step("the SDK beside the reference SDK", || {
        let mut cargo = workspace.cargo();
        cargo.args([
            "test",
            "--locked",
            "--quiet",
            "-p",
            "lumos-connector-sdk",
            "-p",
            "mockapp",
            "--test",
            "it",
        ]);
        cargo.args(["--", "--ignored"]);
        cargo.env(VARIABLE, environment(workspace));
        run(&mut cargo)
    })
}

fn make(environment: &Path) -> anyhow::Result<()> {
    need::python_with_venv()?;
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(environment))?;
    run(Command::new(python_of(environment)).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        &format!("connector-py[dev]=={RELEASE}"),
    ]))
    .with_context(|| {
        format!(
            "connector-py {RELEASE} cannot be installed: it takes Python 3.10 or later, and pip has to reach a package index \
             (see PIP_INDEX_URL); or {VARIABLE} has to name a virtual environment that has it"
        )
    })
}

fn check(environment: &Path) -> anyhow::Result<()> {
    let program = format!("import importlib.metadata as m; assert m.version('connector-py') == '{RELEASE}'");
    anyhow::ensure!(
        succeeds(Command::new(python_of(environment)).args(["-c", &program])),
        "no connector-py {RELEASE} in {}",
        environment.display()
    );
    Ok(())
}

/// The environment's interpreter.
pub(crate) fn python(workspace: &Workspace) -> PathBuf {
    python_of(&environment(workspace))
}

fn python_of(environment: &Path) -> PathBuf {
    environment.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    })
}
