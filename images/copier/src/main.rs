//! `copy FOLDER`: what the image holds, into a folder.

use std::path::Path;
use std::process::ExitCode;

use statetrail_copier::copy_all;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [folder] = arguments.as_slice() else {
        eprintln!("name the folder to copy to");
        return ExitCode::from(2);
    };
    match copy_all(Path::new("/"), Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
