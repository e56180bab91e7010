//! The binary: wires the library to the process.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == "connector-host")
    {
        if let Err(error) = lumos_agent::hosting::host_main() {
            #[expect(clippy::print_stderr, reason = "there is no log yet")]
            {
                eprintln!("{error}");
            }
            return ExitCode::from(64);
        }
    }
    ExitCode::SUCCESS
}
