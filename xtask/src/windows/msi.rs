//! The installer, made by wixl of packaging/windows/lumos-agent.wxs. What wixl has no words for is added to its tables.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::build::Build;
use crate::run::run;
use crate::workspace::Workspace;

/// The directory of the program comes last in everybody's PATH, and goes with it.
const PATH_TABLE: &str = "Environment\tName\tValue\tComponent_\r\ns72\tl255\tL255\ts72\r\nEnvironment\tEnvironment\r\n\
                          Path\t=-*PATH\t[~];[INSTALLDIR]\tAgent\r\n";
/// The old version is removed before anything of the new one is installed; wixl would do it in between.
const ORDER: [&str; 3] = [
    "UPDATE `InstallExecuteSequence` SET `Sequence` = 1450 WHERE `Action` = 'RemoveExistingProducts'",
    "INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('RemoveEnvironmentStrings', 3300)",
    "INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('WriteEnvironmentStrings', 5200)",
];

/// Makes the installer of the workspace's version in `package/` under the target directory.
pub(crate) fn make(workspace: &Workspace, built: &Build) -> anyhow::Result<PathBuf> {
    let version = workspace.version("lumos-agent")?;
    make_version(workspace, built, &version)
}

/// The same as if the workspace had that version.
pub(crate) fn make_version(workspace: &Workspace, built: &Build, version: &str) -> anyhow::Result<PathBuf> {
    // wixl takes files by names relative to where it runs.
    let files = workspace.target().join("msi");
    fs::create_dir_all(&files).with_context(|| format!("cannot make {}", files.display()))?;
    for name in ["lumos-agent.exe", "mockapp-server.exe", "mockapp.dll"] {
        copy(&built.file(name), &files.join(name))?;
    }
    let header = workspace.path("plugin-api/include/lumos_connector.h");
    copy(&header, &files.join("lumos_connector.h"))?;
    fs::write(files.join("Environment.idt"), PATH_TABLE)?;

    let package = workspace.target().join("package");
    fs::create_dir_all(&package).with_context(|| format!("cannot make {}", package.display()))?;
    let installer = package.join(format!("lumos-agent-{version}-x64.msi"));
    // What is there would be added to.
    let _ = fs::remove_file(&installer);
    let mut wixl = Command::new("wixl");
    wixl.current_dir(&files)
        .args(["--arch", "x64", "--define"])
        .arg(format!("Version={version}"))
        .arg("--output")
        .arg(&installer)
        .arg(workspace.path("packaging/windows/lumos-agent.wxs"));
    run(&mut wixl)?;
    let tables = |arguments: [&str; 2]| {
        let mut msibuild = Command::new("msibuild");
        msibuild.current_dir(&files).arg(&installer).args(arguments);
        msibuild
    };
    run(&mut tables(["-i", "Environment.idt"]))?;
    for query in ORDER {
        run(&mut tables(["-q", query]))?;
    }
    Ok(installer)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
