//! The program: reads its arguments, starts logging and the runtime, and tells how it ended.

use std::process::ExitCode;

use flotilla::cli;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::show(&error);
            ExitCode::FAILURE
        }
    }
}

/// Runs the command that was asked for.
fn start() -> Result<(), cli::Error> {
    let cli = cli::parse();
    cli.start_logs()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(cli.run())
}
