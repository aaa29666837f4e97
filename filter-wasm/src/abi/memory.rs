//! `malloc` and `free`, which Fluent Bit calls for the arguments of a call.
//!
//! wasi-libc calls them too, where it opens folders. While a call is under way it is wasi-libc
//! that asks, and gets memory from Rust's allocator; otherwise it is Fluent Bit, and gets it
//! from the [`Arena`](crate::arena::Arena). wasi-libc brings these functions together, so
//! defining one of them means to define all that are used.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr;

use super::{GUEST, is_running};

/// Rust's own allocator: a copy of the algorithm that wasi-libc's `malloc` has, because that
/// one is replaced by what stands below.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Room before each piece of memory for its size; also the alignment that C expects.
const HEAD_BYTES: usize = 16;
/// ENOMEM of WASI.
const NO_MEMORY: i32 = 48;

/// Memory for an argument, or null if there is none left.
#[unsafe(no_mangle)]
extern "C" fn malloc(bytes: usize) -> *mut u8 {
    if is_running() {
        return allocate(bytes, HEAD_BYTES);
    }
    // SAFETY: no call is under way, so nothing else refers to the arena.
    let arena = unsafe { &mut (*GUEST.0.get()).arena };
    arena.allocate(bytes).map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
}

/// Gives memory back. That of the arena is free at the next call anyway.
///
/// # Safety
/// `start` comes from one of the functions here, or is null.
#[unsafe(no_mangle)]
unsafe extern "C" fn free(start: *mut u8) {
    // SAFETY: the arena is not being changed, and the reference ends here.
    let in_arena = unsafe { (*GUEST.0.get()).arena.holds(start.addr()) };
    if start.is_null() || in_arena {
        return;
    }
    // SAFETY: as promised, and not from the arena, so it has a head.
    unsafe {
        let layout = *head(start);
        dealloc(start.sub(layout.align().max(HEAD_BYTES)), layout);
    }
}

/// # Safety
/// `start` is null or comes from one of the functions here while a call was under way.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(start: *mut u8, bytes: usize) -> *mut u8 {
    let moved = allocate(bytes, HEAD_BYTES);
    if start.is_null() || moved.is_null() {
        return moved;
    }
    // SAFETY: as promised, so the old piece has a head that says how much can be read.
    unsafe {
        let layout = *head(start);
        let old = layout.size() - layout.align().max(HEAD_BYTES);
        ptr::copy_nonoverlapping(start, moved, old.min(bytes));
        free(start);
    }
    moved
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, bytes: usize) -> *mut u8 {
    let Some(bytes) = count.checked_mul(bytes) else { return ptr::null_mut() };
    let start = allocate(bytes, HEAD_BYTES);
    if !start.is_null() {
        // SAFETY: there are so many bytes.
        unsafe { ptr::write_bytes(start, 0, bytes) };
    }
    start
}

#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(align: usize, bytes: usize) -> *mut u8 {
    allocate(bytes, align)
}

/// Memory from Rust's allocator, with its layout kept before it.
fn allocate(bytes: usize, align: usize) -> *mut u8 {
    let room = align.max(HEAD_BYTES);
    let layout = bytes.checked_add(room).and_then(|size| Layout::from_size_align(size, room).ok());
    let Some(layout) = layout else { return ptr::null_mut() };
    // SAFETY: the size is not 0, because of the head.
    let start = unsafe { alloc(layout) };
    if start.is_null() {
        return start;
    }
    // SAFETY: the piece is that much larger than asked for.
    unsafe {
        let start = start.add(room);
        head(start).write(layout);
        start
    }
}

/// Where the layout of a piece stands.
fn head(start: *mut u8) -> *mut Layout {
    start.wrapping_sub(size_of::<Layout>()).cast()
}

/// # Safety
/// `start` points to a pointer that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(start: *mut *mut u8, align: usize, bytes: usize) -> i32 {
    let memory = allocate(bytes, align);
    if memory.is_null() {
        return NO_MEMORY;
    }
    // SAFETY: as promised.
    unsafe { start.write(memory) };
    0
}

/// Compares bytes, a word at a time: the one that comes with wasi-libc looks at each byte, which was
/// a third of what a record without a match took. Every comparison of slices calls it.
///
/// # Safety
/// So many bytes can be read from both places.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, bytes: usize) -> i32 {
    // SAFETY: as promised; the words asked for lie within so many bytes. Unaligned words are no
    // trouble for WASM.
    let word =
        |start: *const u8, at: usize| unsafe { start.add(at).cast::<u64>().read_unaligned() };
    let half =
        |start: *const u8, at: usize| unsafe { start.add(at).cast::<u32>().read_unaligned() };
    let byte = |start: *const u8, at: usize| unsafe { start.add(at).read() };
    if bytes >= 8 {
        let (last, mut at) = (bytes - 8, 0);
        while at + 16 <= bytes {
            let differences = word(left, at) ^ word(right, at);
            if differences | (word(left, at + 8) ^ word(right, at + 8)) != 0 {
                break;
            }
            at += 16;
        }
        // The last word may begin within the one before it: bytes that are known to be equal.
        while at < bytes {
            let here = at.min(last);
            let (left, right) = (word(left, here), word(right, here));
            if left != right {
                return order_of(left, right);
            }
            at += 8;
        }
        return 0;
    }
    if bytes >= 4 {
        for at in [0, bytes - 4] {
            let (left, right) = (half(left, at), half(right, at));
            if left != right {
                return order_of(u64::from(left), u64::from(right));
            }
        }
        return 0;
    }
    let mut at = 0;
    while at < bytes {
        let (left, right) = (byte(left, at), byte(right, at));
        if left != right {
            return i32::from(left) - i32::from(right);
        }
        at += 1;
    }
    0
}

/// How two words of bytes that are not equal compare; the lowest byte comes first.
fn order_of(left: u64, right: u64) -> i32 {
    let shift = (left ^ right).trailing_zeros() & !7;
    i32::from((left >> shift) as u8) - i32::from((right >> shift) as u8)
}
