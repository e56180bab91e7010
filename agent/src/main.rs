//! The binary: wires the library to the process.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let hosts = std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == "connector-host");
    match lumos_agent_main(hosts) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "there is no log yet")]
            {
                eprintln!("{error}");
            }
            ExitCode::from(64)
        }
    }
}

fn lumos_agent_main(hosts: bool) -> Result<(), String> {
    if hosts {
        return lumos_agent::hosting::host_main();
    }
    Ok(())
}
