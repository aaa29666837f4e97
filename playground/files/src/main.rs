//! Writes the playground's files into a folder, for any server of static files.

use std::path::PathBuf;
use std::process::ExitCode;

use statetrail_playground_files::FILES;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("error: into which folder?");
        return ExitCode::from(2);
    };
    let write = || {
        std::fs::create_dir_all(&folder)?;
        FILES.iter().try_for_each(|file| std::fs::write(folder.join(file.name), file.bytes))
    };
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the playground cannot be written to {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}
