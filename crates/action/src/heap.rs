//! The memory of a module that lives for a second or two.
//!
//! Blocks are laid one after the other. What is freed is had again only where it was the last one, which
//! is how a text or a list grows; the rest goes when the process ends. The general allocator that Rust
//! brings is among the first things that a run compiles and is entered thousands of times, so that V8
//! compiles it once more, optimised, in the middle of the run (docs/architecture.md has the figures).

#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::Cell;

const PAGE: usize = 64 * 1024;

/// Where the next block may begin, and where the memory that is there ends.
struct Heap {
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: the module has one thread; wasm32-unknown-unknown is built without atomics.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap {
    next: Cell::new(0),
    end: Cell::new(0),
};

impl Heap {
    /// Makes the memory reach up to `end`; says whether it does.
    #[cold]
    fn reach(&self, end: usize) -> bool {
        let missing = end.saturating_sub(self.end.get()).div_ceil(PAGE);
        // Asking for more at once than is missing: growing makes the host's view of the memory a new one.
        let had = memory_grow::<0>(missing.max(4));
        if had == usize::MAX {
            return false;
        }
        self.end.set(memory_size::<0>() * PAGE);
        true
    }

    /// Where a block would begin and end.
    fn place(&self, layout: Layout) -> Option<(usize, usize)> {
        let start = self.next.get().checked_next_multiple_of(layout.align())?;
        Some((start, start.checked_add(layout.size())?))
    }
}

// SAFETY: blocks are aligned, lie within the memory, and do not overlap: each starts at or after `next`,
// which moves to its end, and back only to the start of the last block, once that is freed.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.end.get() == 0 {
            // What is there at the start holds the stack and the module's own data.
            self.next.set(memory_size::<0>() * PAGE);
            self.end.set(self.next.get());
        }
        match self.place(layout) {
            Some((start, end)) if end <= self.end.get() || self.reach(end) => {
                self.next.set(end);
                start as *mut u8
            }
            _ => std::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block as usize + layout.size() == self.next.get() {
            self.next.set(block as usize);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = block as usize;
        if start + layout.size() == self.next.get() {
            match start.checked_add(size) {
                Some(end) if end <= self.end.get() || self.reach(end) => {
                    self.next.set(end);
                    return block;
                }
                _ => return std::ptr::null_mut(),
            }
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the caller vouches for `size` with this alignment.
        let larger = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: `larger` is not empty, as the caller vouches.
        let moved = unsafe { self.alloc(larger) };
        if !moved.is_null() {
            // SAFETY: both blocks have that many bytes, and the new one overlaps nothing that is in use.
            unsafe { std::ptr::copy_nonoverlapping(block, moved, layout.size()) };
        }
        moved
    }
}
