//! The binary: everything is in the library.

fn main() -> std::process::ExitCode {
    lumos_agent::cli::main()
}
