//! The C side: the header must compile everywhere, and the example connector in C must build and pass its checks.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::need::{self, MINGW_CC};
use crate::run::{run, say, step, succeeds};
use crate::workspace::Workspace;

/// What every C file of this repository is compiled with.
const FLAGS: [&str; 4] = ["-std=c11", "-Wall", "-Wextra", "-Werror"];

/// The task: everything of this module.
pub(crate) fn all(workspace: &Workspace) -> anyhow::Result<()> {
    need::compilers()?;
    header(workspace)?;
    example(workspace)
}

/// Compiles the header alone as C11 and C++17, for Linux and, if there is a compiler, for Windows.
pub(crate) fn header(workspace: &Workspace) -> anyhow::Result<()> {
    step("the header compiles as C11 and C++17", || {
        let directory = workspace.c_target()?;
        let write = |name: &str| -> anyhow::Result<PathBuf> {
            let file = directory.join(name);
            // Twice, because the guard must hold.
            let text = "#include \"lumos_connector.h\"\n#include \"lumos_connector.h\"\nint lumos_unused;\n";
            std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
            Ok(file)
        };
        let c = write("header.c")?;
        let cpp = write("header.cpp")?;
        for (compiler, standard, file) in [
            ("cc", "-std=c11", &c),
            ("c++", "-std=c++17", &cpp),
            (MINGW_CC, "-std=c11", &c),
            ("x86_64-w64-mingw32-g++", "-std=c++17", &cpp),
        ] {
            if !need::exists(compiler) {
                say(&format!("   no {compiler} here; left out"));
                continue;
            }
            let flags = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"];
            run(including(workspace, compiler).arg(standard).args(flags).arg(file))?;
        }
        Ok(())
    })
}

/// Builds the example connector as a library, and runs its checks.
pub(crate) fn example(workspace: &Workspace) -> anyhow::Result<()> {
    step("the example connector in C", || {
        let library = example_library(workspace)?;
        say(&format!("   built {}", library.display()));
        example_checks(workspace)
    })
}

/// Builds `libexample_c.so` and says where it is.
pub(crate) fn example_library(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let library = workspace.c_target()?.join("libexample_c.so");
    let mut cc = including(workspace, "cc");
    cc.args(FLAGS)
        .args(["-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-o"])
        .arg(&library);
    run(cc.arg(source(workspace, "example_c.c")))?;
    Ok(library)
}

/// The checks run under the sanitizers where the compiler has them.
fn example_checks(workspace: &Workspace) -> anyhow::Result<()> {
    let program = workspace.c_target()?.join("example_c_checks");
    let build = |sanitizers: &[&str]| {
        let mut cc = including(workspace, "cc");
        cc.args(FLAGS).arg("-g").args(sanitizers).arg("-o").arg(&program);
        cc.args([source(workspace, "example_c.c"), source(workspace, "check.c")]);
        cc
    };
    let sanitized = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    if !succeeds(&mut build(&sanitized)) {
        say("   this compiler has no sanitizers; going on without");
        run(&mut build(&[]))?;
    }
    run(&mut Command::new(program))
}

fn including(workspace: &Workspace, compiler: &str) -> Command {
    let mut command = workspace.command(compiler);
    command.arg("-I").arg(workspace.path("plugin-api/include"));
    command
}

fn source(workspace: &Workspace, file: &str) -> PathBuf {
    workspace.path("plugins/examples/c").join(Path::new(file))
}
