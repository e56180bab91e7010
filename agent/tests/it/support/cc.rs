//! Compiles the C connectors of `tests/fixtures` when a test first needs them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

type Builds = Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>;
static BUILDS: LazyLock<Builds> = LazyLock::new(Builds::default);

/// The library made of `tests/fixtures/{source}.c` with `-D` `defines`.
pub(crate) fn connector(source: &str, defines: &[&str]) -> PathBuf {
    let name = [source]
        .iter()
        .chain(defines)
        .copied()
        .collect::<Vec<_>>()
        .join("-");
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let build = BUILDS.lock().unwrap().entry(name.clone()).or_default().clone();
    build.get_or_init(|| compile(source, defines, &name)).clone()
}

fn compile(source: &str, defines: &[&str], name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.so", std::process::id()));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let object = out.with_extension("o");
    let mut compile = Command::new(&compiler);
    compile
        .args([
            "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fPIC", "-pthread", "-I",
        ])
        .arg(here.join("../plugin-api/include"))
        .args(defines.iter().map(|define| format!("-D{define}")))
        .args(sanitized().then_some("-fsanitize=address"))
        .args(["-c", "-o"])
        .arg(&object)
        .arg(here.join(format!("tests/fixtures/{source}.c")));
    // Linked on its own: with the compiler's sanitizer flag it would bring a second run time, beside the host's.
    let mut link = Command::new(&compiler);
    link.args(["-shared", "-pthread", "-o"]).arg(&out).arg(&object);
    for mut step in [compile, link] {
        let status = step.status().expect("a C compiler is needed for the tests");
        assert!(status.success(), "{source}.c does not compile with {defines:?}");
    }
    std::fs::remove_file(object).unwrap();
    out
}

/// Whether `cargo xtask asan` runs the tests: the agent then has the address sanitizer's run time, which fixtures use.
pub(crate) fn sanitized() -> bool {
    std::env::var_os("LUMOS_TEST_ASAN").is_some()
}
