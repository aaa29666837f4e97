//! The folders that Fluent Bit lets the filter see: its setting `accessible_paths`.

use std::path::PathBuf;

/// The first file descriptor after the standard ones.
const FIRST: u32 = 3;
const SUCCESS: u16 = 0;

/// What WASI tells about a folder: a tag, which is always that of a folder, and its name's
/// length.
#[repr(C)]
#[derive(Default)]
struct Prestat {
    tag: u32,
    name_length: usize,
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn fd_prestat_get(descriptor: u32, prestat: *mut Prestat) -> u16;
    fn fd_prestat_dir_name(descriptor: u32, name: *mut u8, length: usize) -> u16;
}

/// The folders, by the names that Fluent Bit's configuration gives them.
pub(super) fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for descriptor in FIRST.. {
        let mut prestat = Prestat::default();
        // SAFETY: the host writes one prestat.
        if unsafe { fd_prestat_get(descriptor, &mut prestat) } != SUCCESS {
            break;
        }
        let mut name = vec![0; prestat.name_length];
        // SAFETY: the host writes as many bytes as it is told.
        if unsafe { fd_prestat_dir_name(descriptor, name.as_mut_ptr(), name.len()) } != SUCCESS {
            break;
        }
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        name.truncate(end);
        folders.push(PathBuf::from(String::from_utf8_lossy(&name).into_owned()));
    }
    folders
}
