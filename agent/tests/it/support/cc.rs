//! Compiles the C connectors of `tests/fixtures` when a test first needs them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

type Builds = Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>;
static BUILDS: LazyLock<Builds> = LazyLock::new(Builds::default);

/// The library made of `tests/fixtures/{source}.c` with `-D` `defines`.
pub(crate) fn connector(source: &str, defines: &[&str]) -> PathBuf {
    let c = ("CC", "cc", "-std=c11", "c");
    built(source, defines, c)
}

/// The library made of `tests/fixtures/{source}.cpp`.
#[cfg(unix)]
pub(crate) fn cxx_connector(source: &str) -> PathBuf {
    built(source, &[], ("CXX", "c++", "-std=c++17", "cpp"))
}

/// The variable that names a compiler, its usual name, the standard, and the sources' extension.
type Language = (&'static str, &'static str, &'static str, &'static str);

fn built(source: &str, defines: &[&str], language: Language) -> PathBuf {
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
    build
        .get_or_init(|| compile(source, defines, &name, language))
        .clone()
}

fn compile(source: &str, defines: &[&str], name: &str, language: Language) -> PathBuf {
    let (variable, usual, standard, extension) = language;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.so", std::process::id()));
    let compiler = std::env::var(variable).unwrap_or_else(|_| usual.into());
    let object = out.with_extension("o");
    let mut compile = Command::new(&compiler);
    compile
        .args([
            standard, "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fPIC", "-pthread", "-I",
        ])
        .arg(here.join("../plugin-api/include"))
        .args(defines.iter().map(|define| format!("-D{define}")))
        .args(sanitized().then_some("-fsanitize=address"))
        .args(["-c", "-o"])
        .arg(&object)
        .arg(here.join(format!("tests/fixtures/{source}.{extension}")));
    // Linked on its own: with the compiler's sanitizer flag it would bring a second run time, beside the host's.
    let mut link = Command::new(&compiler);
    link.args(["-shared", "-pthread", "-o"]).arg(&out).arg(&object);
    for mut step in [compile, link] {
        let status = step
            .status()
            .expect("a C and a C++ compiler are needed for the tests");
        assert!(
            status.success(),
            "{source}.{extension} does not compile with {defines:?}"
        );
    }
    std::fs::remove_file(object).unwrap();
    out
}

/// Whether `cargo xtask asan` runs the tests: the agent then has the address sanitizer's run time, which fixtures use.
pub(crate) fn sanitized() -> bool {
    std::env::var_os("LUMOS_TEST_ASAN").is_some()
}
